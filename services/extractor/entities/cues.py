"""Where the words that point at names stand in one text."""

from collections.abc import Iterable

from services.extractor.entities.grammar import Cue
from services.extractor.entities.lexicon import Hit


class Cues:
    """The cues among the hits of a text, by where they start or end (code points)."""

    def __init__(self, text: str, hits: Iterable[Hit]) -> None:
        # The cues that start at a position, with their ends.
        self.starting: dict[int, list[tuple[int, Cue]]] = {}
        # The longest `left` cue that ends at a position.
        self.left: dict[int, Cue] = {}
        # The adjectives of countries that end at a position, with their starts.
        self.adjectives: dict[int, list[tuple[int, Cue]]] = {}
        # Start and end of known first names.
        self.first_names: set[tuple[int, int]] = set()
        # One mark for each character of a `left` cue of several words ("Bộ trưởng Quốc phòng", "kênh Telegram").
        self.phrases = bytearray(len(text))
        self.heads: list[tuple[int, int, Cue]] = []
        left_starts: dict[int, int] = {}
        for start, end, _, cues, _ in hits:
            for cue in cues:
                self.starting.setdefault(start, []).append((end, cue))
                if cue.side == "left":
                    if start < left_starts.get(end, end):
                        left_starts[end], self.left[end] = start, cue
                    if " " in text[start:end]:
                        self.phrases[start:end] = b"\1" * (end - start)
                elif cue.side == "adjective":
                    self.adjectives.setdefault(end, []).append((start, cue))
                elif cue.side == "first":
                    self.first_names.add((start, end))
                elif cue.side == "head":
                    self.heads.append((start, end, cue))

    def leads_on(self, start: int, end: int) -> bool:
        """Return whether a word begins something else than the rest of a name: a title, a head word or a first name."""
        return any(
            cue.side in ("left", "head") or (cue.side == "first" and stop == end)
            for stop, cue in self.starting.get(start, ())
        )
