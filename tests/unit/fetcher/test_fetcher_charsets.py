import unicodedata

import pytest

from services.fetcher.charsets import decode, is_binary

VIETNAMESE = "Lực lượng phòng không đã đánh chặn hai mươi máy bay trong đêm. " * 4
RUSSIAN = "Министерство сообщило о восстановлении моста через реку. " * 4
UKRAINIAN = "Генеральний штаб повідомив про відновлення мосту через річку Їжачок. " * 4


def test_valid_utf8_wins_over_any_declaration() -> None:
    assert decode(VIETNAMESE.encode(), "text/html; charset=iso-8859-1") == VIETNAMESE


@pytest.mark.parametrize(
    ("text", "charset"), [(RUSSIAN, "windows-1251"), (RUSSIAN, "koi8-r"), (UKRAINIAN, "windows-1251")]
)
def test_a_declared_charset_is_used(text: str, charset: str) -> None:
    assert decode(text.encode(charset), f'text/html; charset="{charset}"') == text
    meta = f'<html><head><meta http-equiv="Content-Type" content="text/html; charset={charset}">{text}'
    assert decode(meta.encode(charset)) == meta


def test_vietnamese_windows_text_is_whole_after_composition() -> None:
    encoded = "".join(_for_cp1258(letter) for letter in VIETNAMESE).encode("cp1258")
    assert unicodedata.normalize("NFC", decode(encoded, "text/html; charset=windows-1258")) == VIETNAMESE


def test_an_undeclared_charset_is_guessed() -> None:
    assert decode(RUSSIAN.encode("windows-1251")) == RUSSIAN


def test_an_unknown_declaration_is_passed_over() -> None:
    assert decode(RUSSIAN.encode("windows-1251"), "text/html; charset=x-none") == RUSSIAN


@pytest.mark.parametrize(
    ("body", "binary"),
    [(b"\x00\x01", True), (b"\x89PNG\r\n\x1a\n\x00", True), (VIETNAMESE.encode(), False), (b"", False),
     (VIETNAMESE.encode("utf-16"), False), (b"one \x07 bell in a line of text is no reason", False)],
)  # fmt: skip
def test_binary_is_seen_by_its_control_characters(body: bytes, binary: bool) -> None:
    assert is_binary(body) is binary


def _for_cp1258(letter: str) -> str:
    """Spell a letter as windows-1258 has it: base letter with its own hook or circumflex, then the tone mark."""
    parts = unicodedata.normalize("NFD", letter)
    base, tones = parts[0], [mark for mark in parts[1:] if mark in "\u0300\u0301\u0303\u0309\u0323"]
    shape = [mark for mark in parts[1:] if mark not in tones]
    return unicodedata.normalize("NFC", base + "".join(shape)) + "".join(tones)
