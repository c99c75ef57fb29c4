"""Damage that is undone, and text that only looks damaged."""

import unicodedata

import pytest

from services.normaliser.changes import apply
from services.normaliser.repair import repair

CLEAN = "Hội đồng thành phố cảng họp đến nửa đêm, bàn việc sửa ba cây cầu và dựng lại kho thóc."


def repaired(text: str) -> str:
    return apply(text, repair(text))


def one_byte_tones(text: str) -> str:
    """Return Vietnamese as windows-1258 writes it: tones as marks of their own."""
    tones = "\u0300\u0301\u0303\u0309\u0323"
    written = ""
    for letter in text:
        marks = unicodedata.normalize("NFD", letter)
        tone = "".join(mark for mark in marks if mark in tones)
        written += unicodedata.normalize("NFC", "".join(mark for mark in marks if mark not in tones)) + tone
    return written


@pytest.mark.parametrize(
    ("damaged", "clean"),
    [
        (CLEAN.encode().decode("latin-1"), CLEAN),
        (CLEAN.encode().decode("latin-1").encode().decode("latin-1"), CLEAN),
        ("Мост снова открыт".encode().decode("latin-1"), "Мост снова открыт"),
        ("Th«ng b¸o: Hoµng h«n xuèng rÊt nhanh trªn bÕn phµ, nh÷ng ng\xad\xeai l¸i ®ß véi v·.",
         "Thông báo: Hoàng hôn xuống rất nhanh trên bến phà, những người lái đò vội vã."),
        (one_byte_tones(CLEAN).encode("cp1258").decode("cp1252"), CLEAN),
        (unicodedata.normalize("NFD", CLEAN), CLEAN),
        ("Ai Cập &amp;amp; Qatar, &amp;quot;hai bên&amp;quot;, &#7879;&nbsp;x", 'Ai Cập & Qatar, "hai bên", ệ x'),
        ("Phà đêm lại đến " + "mấy bận chở khách".encode().decode("latin-1"), "Phà đêm lại đến mấy bận chở khách"),
        ("The minister didnâ€™t answer. CafÃ© owners did, atÂ once.", "The minister didn’t answer. Café owners did, at once."),
        ("kho\u200bảng ch\xadiến l\x08ược\x00", "khoảng chiến lược"),
        ("một\r\nhai\rba\u2028bốn", "một\nhai\nba\nbốn"),
    ],
)  # fmt: skip
def test_damage_is_undone(damaged: str, clean: str) -> None:
    assert repaired(damaged) == clean


@pytest.mark.parametrize(
    "text",
    [
        CLEAN,
        'Thư mang tiêu đề "Há»p gáº¥p" thay vì "Họp gấp".',
        'The subject line read "Ð¡Ñ€Ð¾Ñ‡Ð½Ð¾" and nothing else.',
        "AT&T and S&P fell; R&D did not.",
        "Café Zürich, São Paulo, Ångström and a naïve façade",
        "“Curly” quotes — and dashes… stay",
        "Київ і Донеччина, ёлка и подъезд",
        "hoà bình, thuỷ điện",
    ],
)
def test_clean_text_stays(text: str) -> None:
    assert repair(text) == []
