"""Damage is flagged wherever it stood, also in a line that becomes the title."""

import pytest

from services.normaliser.rules import load_rules
from services.normaliser.transform import normalise
from shared.models import Flag
from tests.support.articles import raw_article

TITLE = "Kho thóc ven sông được mở lại sau trận lụt"
BODY = "Người dân quay về làng từ sáng sớm. Chính quyền cho biết đường sá đã thông và trường học mở cửa lại."


@pytest.mark.parametrize(
    "text",
    [
        f"{TITLE}\n\n{BODY}".replace("Kho thóc", "Kho \x07\x00thóc"),
        f"{TITLE}\n\n{BODY}".replace("sáng sớm", "sáng\x01 sớm"),
    ],
    ids=["title", "body"],
)
def test_control_characters_are_flagged(text: str) -> None:
    (article,) = normalise(raw_article(1, text=text), rules=load_rules())
    assert Flag.CONTROL_CHARACTERS_REMOVED in article.flags
    assert article.title == TITLE


def test_a_clean_article_is_not_flagged() -> None:
    (article,) = normalise(raw_article(1, text=f"{TITLE}\n\n{BODY}"), rules=load_rules())
    assert Flag.CONTROL_CHARACTERS_REMOVED not in article.flags
