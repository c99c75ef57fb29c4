"""The Russian tagger: slovnet's NER network on the weights that natasha carries in its wheel; nothing is downloaded.

Its packages are the extra `names` and are imported only here, when the tagger is loaded.
"""

import tarfile
from collections.abc import Iterable, Sequence
from importlib.metadata import distribution
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from services.extractor.entities.tagging import Tagged
from shared.models import EntityType

_MODEL: Final = "slovnet_ner_news_v1"
_EMBEDDING: Final = "news_v1_1B_250K_300d_100q"
_TYPES: Final = {"LOC": EntityType.LOC, "ORG": EntityType.ORG, "PER": EntityType.PERSON}
_AT_ONCE: Final = 16  # sentences: 0.8 ms each, against 2 ms one by one
_HEADER: Final = 4  # numbers: vectors, dimensions, parts of a vector, centroids of a part


class RussianTagger:
    """Tags Russian sentences with a slovnet model."""

    name: Final = _MODEL

    def __init__(self, model: Any) -> None:
        self._model = model
        self._words = model.infer.encoder.words_vocab.item_ids

    def tag(self, sentences: Sequence[str]) -> Iterable[Sequence[Tagged]]:
        """Return the names of each sentence."""
        for markup in self._model.map(sentences):
            yield [Tagged(span.start, span.stop, _TYPES[span.type]) for span in markup.spans]

    def knows(self, word: str) -> bool:
        """Return whether a word is one of the 250,000 most frequent of the news it was trained on."""
        return word in self._words


def load_russian() -> RussianTagger:
    """Return the tagger; numpy's own threads are given up, since they cost more than they bring on single sentences.

    Raises `ImportError` when natasha, slovnet or threadpoolctl is not installed.
    """
    from slovnet import NER
    from threadpoolctl import threadpool_limits

    folder = Path(str(distribution("natasha").locate_file("natasha/data")))
    model = NER.load(str(folder / f"model/{_MODEL}.tar"), batch_size=_AT_ONCE)
    model.navec(_embedding(folder / f"emb/navec_{_EMBEDDING}.tar"))
    threadpool_limits(limits=1, user_api="blas")
    return RussianTagger(model)


def _embedding(path: Path) -> SimpleNamespace:
    """Return the word vectors as slovnet takes them from navec (https://github.com/natasha/navec), mapped, not read.

    navec itself reads them with their vocabulary, which slovnet has in its own model, and their norms: 150 MB more.
    """
    import numpy as np

    with tarfile.open(path) as archive:
        start = archive.getmember("pq.bin").offset_data
    vectors, dimensions, parts, centroids = map(int, np.fromfile(path, np.uint32, _HEADER, offset=start))
    start += _HEADER * np.uint32().itemsize
    indexes = np.memmap(path, np.uint8, "r", start, (vectors, parts))
    codes = np.fromfile(path, np.float32, centroids * dimensions, offset=start + indexes.size)
    codes = codes.reshape(parts, centroids, dimensions // parts)
    return SimpleNamespace(meta=SimpleNamespace(id=_EMBEDDING), pq=SimpleNamespace(indexes=indexes, codes=codes))
