"""Local ids of names that have no public one, the same for one name in Latin and Cyrillic letters."""

import unicodedata
from typing import Final

import regex

_CYRILLIC: Final = str.maketrans(
    {
        "а": "a", "б": "b", "в": "v", "г": "g", "ґ": "g", "д": "d", "е": "e", "ё": "e", "є": "e", "ж": "zh", "з": "z",
        "и": "i", "і": "i", "ї": "i", "й": "i", "к": "k", "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r",
        "с": "s", "т": "t", "у": "u", "ф": "f", "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch", "ъ": "",
        "ы": "i", "ь": "", "э": "e", "ю": "iu", "я": "ia", "đ": "d",
    }
)  # fmt: skip
_ALIKE: Final = (
    (regex.compile(r"[^a-z0-9]+"), "-"),
    (regex.compile(r"(?<=[a-z])x"), "ks"),
    (regex.compile(r"w"), "v"),
    (regex.compile(r"y"), "i"),
    (regex.compile(r"j(?=[aeou])"), "i"),
    (regex.compile(r"ii+|ie(?=-|$)"), "i"),
    (regex.compile(r"([a-z])\1+"), r"\1"),
)


def slug(name: str) -> str:
    """Return a name in ASCII lower case with hyphens, for ids.

    >>> slug("Lữ đoàn 47")
    'lu-doan-47'
    """
    latin = name.casefold().translate(_CYRILLIC)
    plain = "".join(
        character for character in unicodedata.normalize("NFD", latin) if not unicodedata.combining(character)
    )
    return _ALIKE[0][0].sub("-", plain).strip("-") or "x"


def key(name: str) -> str:
    """Return what spellings of one name have in common across scripts and romanisations: "Yury" and "Юрий", "Yuri".

    >>> key("Yury") == key("Юрий") == key("Yuriy")
    True
    """
    result = slug(name.replace("'", "").replace("’", ""))
    for pattern, replacement in _ALIKE[1:]:
        result = pattern.sub(replacement, result)
    return result
