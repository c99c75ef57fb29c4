"""Which grammar reads a text whose language is not known."""

import re
from typing import Final

from services.extractor.dates.grammar import LANGUAGES

_SAMPLE: Final = 4000
_CYRILLIC: Final = re.compile("[а-яё]", re.IGNORECASE)
_UKRAINIAN: Final = re.compile("[іїєґ]", re.IGNORECASE)
_VIETNAMESE: Final = re.compile("[ăđơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ\u0309\u0323]", re.IGNORECASE)


def guess(text: str, language: str) -> str:
    """Return the language if it has a grammar, else the one the letters of the text's beginning speak for."""
    if language in LANGUAGES:
        return language
    sample = text[:_SAMPLE]
    if len(_CYRILLIC.findall(sample)) * 4 > len(sample):
        return "uk" if _UKRAINIAN.search(sample) else "ru"
    return "vi" if _VIETNAMESE.search(sample) else "en"
