"""The language of an article and of passages in it."""

import pytest

from services.normaliser.language import identify, is_unaccented, passages
from shared.models import Language

LANGUAGES = ("en", "ru", "uk", "vi")
VIETNAMESE = "Phà quân đội chở dân qua sông suốt đêm, mỗi chuyến mười hai xe con và tám mươi người."
RUSSIAN = "Мы готовы к разговору, но встреча без повестки никому не нужна, работа только начинается."


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (VIETNAMESE, "vi"),
        ("Pha quan doi cho dan qua song suot dem, moi chuyen muoi hai xe con", "vi"),
        ("The ferry carried eighty people across the river in the dark.", "en"),
        (RUSSIAN, "ru"),
        ("Пором перевіз вісімдесят людей через річку, поки не стемніло.", "uk"),
        (f"{VIETNAMESE}\n{RUSSIAN}\n{VIETNAMESE}", "vi"),
        ("123 456 / 789", "und"),
        ("", "und"),
    ],
)
def test_language(text: str, code: str) -> None:
    assert identify(text, LANGUAGES).code == code


def test_unaccented_vietnamese() -> None:
    assert is_unaccented("Pha quan doi cho dan qua song", "vi")
    assert not is_unaccented(VIETNAMESE, "vi")
    assert not is_unaccented("The ferry carried people", "en")


def test_a_quotation_in_another_language_is_a_passage() -> None:
    body = f"{VIETNAMESE}\n\n{RUSSIAN}\n\n{RUSSIAN}\n\n{VIETNAMESE}"
    (passage,) = passages(body, Language(code="vi", score=1), LANGUAGES)
    assert passage.language.code == "ru"
    assert body[passage.start : passage.end] == f"{RUSSIAN}\n\n{RUSSIAN}"


def test_names_in_another_script_are_no_passage() -> None:
    body = f"{VIETNAMESE}\nBáo Правда nói phà (паром) đã quay lại bến sau khi trời sáng hẳn."
    assert passages(body, Language(code="vi", score=1), LANGUAGES) == []
