"""The network of slovnet's taggers (https://github.com/natasha/slovnet) on its own weights, many sentences at once.

The same sums as those of `slovnet.exec.model` in a third of the time: sentences stand one behind the other, an empty row between
them, instead of being padded to the longest one, and convolutions multiply the rows as they are instead of copied windows.
"""

from collections.abc import Sequence
from itertools import chain, pairwise
from typing import Any

import numpy as np


class Network:
    """Ids of words and their shapes in, the most likely tags out. `model` is a loaded slovnet NER model with its word vectors.

    `padding` are the ids of no word and no shape, whose vectors are zero.
    """

    def __init__(self, model: Any, padding: tuple[int, int]) -> None:
        self._embedding = model.emb
        self._layers = [_Layer(layer) for layer in model.encoder.layers]
        self._head = model.head.proj
        self._transitions = model.head.crf.transitions.array.T
        self._padding = padding

    def tags(self, sentences: Sequence[Sequence[tuple[int, int]]]) -> list[list[int]]:
        """Return the tag of each word of sentences, which are the ids of words and shapes; none of them is empty."""
        gap = [self._padding]
        ids = np.array([*gap, *chain.from_iterable((*sentence, *gap) for sentence in sentences)])
        rows, gaps = self._embedding(ids[:, 0], ids[:, 1]), np.flatnonzero(ids[:, 0] == self._padding[0])
        for layer in self._layers:
            rows = layer(rows, gaps)
        emissions = self._head(rows)
        return self._most_likely([emissions[start + 1 : end] for start, end in pairwise(gaps)])

    def _most_likely(self, emissions: Sequence[Any]) -> list[list[int]]:
        """Return the tags of the best paths through sentences by Viterbi's algorithm, one word of every sentence at a time."""
        longest_first = sorted(range(len(emissions)), key=lambda index: -len(emissions[index]))
        lengths = np.array([len(emissions[index]) for index in longest_first])
        steps = np.zeros((lengths[0], len(lengths), emissions[0].shape[1]), emissions[0].dtype)
        for column, index in enumerate(longest_first):
            steps[: lengths[column], column] = emissions[index]
        score = steps[0].copy()
        before: list[Any] = []
        for step in range(1, lengths[0]):
            going_on = int(np.count_nonzero(lengths > step))
            paths = score[:going_on, None, :] + self._transitions + steps[step, :going_on, :, None]
            before.append(paths.argmax(-1))
            score[:going_on] = paths.max(-1)
        tag = score.argmax(-1)
        tags = np.empty(steps.shape[:2], int)
        for step in range(lengths[0] - 1, 0, -1):
            best = before[step - 1]
            tags[step] = tag
            tag[: len(best)] = best[np.arange(len(best)), tag[: len(best)]]
        tags[0] = tag
        result: list[list[int]] = [[]] * len(emissions)
        for column, index in enumerate(longest_first):
            result[index] = tags[: lengths[column], column].tolist()
        return result


class _Layer:
    """A convolution over three rows, its rectifier and its normalisation, as one scale and one shift."""

    def __init__(self, layer: Any) -> None:
        weight, norm = layer.conv.weight.array, layer.norm
        self._weights = [np.ascontiguousarray(weight[:, :, place].T) for place in range(weight.shape[2])]
        self._bias = layer.conv.bias.array
        self._scale = norm.weight.array / norm.std.array
        self._shift = norm.bias.array - norm.mean.array * self._scale

    def __call__(self, rows: Any, gaps: Any) -> Any:
        """Return the next rows; the first, the last and those of `gaps` are empty, before and after."""
        inner = len(rows) - 2
        result = np.zeros((len(rows), len(self._bias)), rows.dtype)
        sums = result[1:-1]
        for place, weight in enumerate(self._weights):
            sums += rows[place : place + inner] @ weight
        sums += self._bias
        np.maximum(sums, 0, out=sums)
        sums *= self._scale
        sums += self._shift
        result[gaps] = 0
        return result
