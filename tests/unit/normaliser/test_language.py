"""The language of an article and of passages in it."""

import pytest
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from services.normaliser.language import identify, is_unaccented, passages
from services.normaliser.language_model import load_identifier
from shared.models import Language
from tests.bench.headlines import HEADLINES

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


@pytest.mark.slow
def test_the_lean_model_answers_as_the_whole_one() -> None:
    whole = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    whole.set_languages(["en", "ru", "sr", "uk", "vi"])  # Serbian has two columns of the model
    lean = load_identifier(("vi", "uk", "sr", "ru", "en"))
    texts = [*(line.split("\t")[1] for line in HEADLINES.read_text(encoding="utf-8").splitlines()), "", "12"]
    assert [lean.classify(text) for text in texts] == [whole.classify(text) for text in texts]


@pytest.mark.slow
def test_a_language_the_model_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="qq"):
        load_identifier(("vi", "qq"))
