"""Loads py3langid's model for a few languages at half of its own loader's peak memory, with the same answers.

Its loader keeps the weights of all 142 languages and, for a moment, two copies of the automaton's 39 MB. Here the columns of the
languages wanted are cut out first, and the automaton is read straight into the array that stays.
"""

import io
import lzma
import shutil
import tempfile
import zipfile
from array import array
from collections.abc import Collection
from typing import IO, Final, Protocol

import numpy as np
from py3langid.langid import MODEL_DIR, MODEL_FILE, LanguageIdentifier

_PIECE: Final = 1 << 20
_ROWS: Final = 1 << 12
_ARRAY_CODES: Final = {2: "H", 4: "I"}


class Identifier(Protocol):
    """Names the language of a text, with a probability."""

    def classify(self, text: str) -> tuple[str, float]:
        """Return the code of the likeliest language and its probability."""


def load_identifier(languages: Collection[str]) -> Identifier:
    """Return an identifier limited to these languages. Raises ValueError when the model does not know one of them."""
    with tempfile.TemporaryFile() as unpacked:
        with lzma.open(MODEL_DIR / MODEL_FILE) as packed:
            shutil.copyfileobj(packed, unpacked, _PIECE)
        with zipfile.ZipFile(unpacked) as members:
            classes: list[str] = np.load(io.BytesIO(members.read("classes.npy"))).tolist()
            if unknown := set(languages) - set(classes):
                raise ValueError(f"no language of the model: {', '.join(sorted(unknown))}")
            columns = [column for column, code in enumerate(classes) if code in languages]
            with members.open("ptc.npy") as weights:
                kept = _columns(weights, columns)
            with members.open("nextmove.npy") as moves, members.open("nextmove_row.npy") as rows:
                automaton, row_of_state = _numbers(moves), _numbers(rows)
            priors = np.load(io.BytesIO(members.read("pc.npy")))[columns]
            outputs = np.load(io.BytesIO(members.read("out_feat.npy"))).tolist()
    identifier: Identifier = LanguageIdentifier(
        kept, priors, [classes[column] for column in columns], automaton, outputs, norm_probs=True, tk_row=row_of_state
    )
    return identifier


def _header(member: IO[bytes]) -> tuple[tuple[int, ...], "np.dtype[np.generic]"]:
    """Read the head of a NumPy file; return shape and type of what follows: in this model plain rows of plain numbers."""
    np.lib.format.read_magic(member)
    shape, _, kind = np.lib.format.read_array_header_1_0(member)
    return shape, kind


def _columns(member: IO[bytes], columns: list[int]) -> "np.ndarray[tuple[int, int], np.dtype[np.generic]]":
    """Return some columns of a table, of which only a few rows at a time are in memory."""
    (rows, width), kind = _header(member)
    kept = np.empty((rows, len(columns)), kind)
    for start in range(0, rows, _ROWS):
        count = min(_ROWS, rows - start)
        piece = np.frombuffer(member.read(count * width * kind.itemsize), kind)
        kept[start : start + count] = piece.reshape(count, width)[:, columns]
    return kept


def _numbers(member: IO[bytes]) -> "array[int]":
    """Return a row of unsigned numbers as the array of the standard library: it gives Python's own numbers, and quickly."""
    (count,), kind = _header(member)
    numbers = array(_ARRAY_CODES[kind.itemsize], [0]) * count
    with memoryview(numbers).cast("B") as room:
        for start in range(0, len(room), _PIECE):
            piece = member.read(min(_PIECE, len(room) - start))
            room[start : start + len(piece)] = piece
    return numbers
