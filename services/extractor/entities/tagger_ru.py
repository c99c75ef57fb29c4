"""The Russian tagger: slovnet's NER network on the weights that natasha carries in its wheel; nothing is downloaded.

Its packages are the extra `names` and are imported only here, when the tagger is loaded.
"""

import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from importlib.metadata import distribution
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import numpy as np

from services.extractor.entities.network import Network
from services.extractor.entities.tagging import Tagged
from shared.models import EntityType

_MODEL: Final = "slovnet_ner_news_v1"
_EMBEDDING: Final = "news_v1_1B_250K_300d_100q"
_TYPES: Final = {"LOC": EntityType.LOC, "ORG": EntityType.ORG, "PER": EntityType.PERSON}
_AT_ONCE: Final = 32  # sentences: more would only take more memory
_HEADER: Final = 4  # numbers: vectors, dimensions, parts of a vector, centroids of a part


class RussianTagger:
    """Tags Russian sentences with a slovnet model, the words that `tokenize` (razdel's) finds and their `shape` (slovnet's)."""

    name: Final = _MODEL

    def __init__(self, model: Any, tokenize: Callable[[str], Iterable[Any]], shape: Callable[[str], str]) -> None:
        encoder, tags = model.infer.encoder, model.infer.decoder.tags_vocab
        self._network = Network(model.infer.model, (encoder.words_vocab.pad_id, encoder.shapes_vocab.pad_id))
        self._tokenize = tokenize
        self._words = encoder.words_vocab.item_ids
        self._unknown = encoder.words_vocab.unk_id
        self._shape = lru_cache(maxsize=20_000)(lambda word: encoder.shapes_vocab.encode(shape(word)))
        self._parts = [(tag[:1], _TYPES.get(tag[2:])) for tag in tags.items]

    def tag(self, sentences: Sequence[str]) -> Iterable[Sequence[Tagged]]:
        """Return the names of each sentence."""
        for start in range(0, len(sentences), _AT_ONCE):
            tokens = [list(self._tokenize(sentence)) for sentence in sentences[start : start + _AT_ONCE]]
            ids = [
                [(self._words.get(token.text.lower(), self._unknown), self._shape(token.text)) for token in sentence]
                for sentence in tokens
            ]
            for sentence, tags in zip(tokens, self._network.tags(ids), strict=True):
                yield list(self._names(sentence, tags))

    def _names(self, tokens: Iterable[Any], tags: Iterable[int]) -> Iterator[Tagged]:
        """Yield the names that the tags of a sentence's tokens mark: B begins one, I goes on with it, O is outside."""
        start = stop = 0
        kind: EntityType | None = None
        for token, tag in zip(tokens, tags, strict=True):
            part, begun = self._parts[tag]
            if part != "I":
                if kind is not None:
                    yield Tagged(start, stop, kind)
                start, kind = token.start, begun
            stop = token.stop
        if kind is not None:
            yield Tagged(start, stop, kind)

    def knows(self, word: str) -> bool:
        """Return whether a word is one of the 250,000 most frequent of the news it was trained on."""
        return word in self._words


def load_russian() -> RussianTagger:
    """Return the tagger; numpy's own threads are given up, since they cost more than they bring on so few sentences.

    Raises `ImportError` when natasha, razdel, slovnet or threadpoolctl is not installed.
    """
    from razdel import tokenize
    from slovnet.shape import word_shape
    from threadpoolctl import threadpool_limits

    model = read_model()
    threadpool_limits(limits=1, user_api="blas")
    return RussianTagger(model, tokenize, word_shape)


def read_model() -> Any:
    """Return the model as slovnet itself runs it."""
    from slovnet import NER

    folder = Path(str(distribution("natasha").locate_file("natasha/data")))
    return NER.load(str(folder / f"model/{_MODEL}.tar")).navec(_embedding(folder / f"emb/navec_{_EMBEDDING}.tar"))


def _embedding(path: Path) -> SimpleNamespace:
    """Return the word vectors as slovnet takes them from navec (https://github.com/natasha/navec), mapped, not read.

    navec itself reads them with their vocabulary, which slovnet has in its own model, and their norms: 150 MB more.
    """
    with tarfile.open(path) as archive:
        start = archive.getmember("pq.bin").offset_data
    vectors, dimensions, parts, centroids = map(int, np.fromfile(path, np.uint32, _HEADER, offset=start))
    start += _HEADER * np.uint32().itemsize
    indexes = np.memmap(path, np.uint8, "r", start, (vectors, parts))
    codes = np.fromfile(path, np.float32, centroids * dimensions, offset=start + indexes.size)
    codes = codes.reshape(parts, centroids, dimensions // parts)
    return SimpleNamespace(meta=SimpleNamespace(id=_EMBEDDING), pq=SimpleNamespace(indexes=indexes, codes=codes))
