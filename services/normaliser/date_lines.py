"""Reading the line of a page that states when the article was published, and nothing else."""

import re

from services.normaliser.lines import FULL_STOPS, Line
from services.normaliser.moments import MAX_LENGTH, DateWords, Moment, read_moment

_SIGNED_DATE = re.compile(r"(?:[^\W\d_a-zа-яёіїєґ][^\W\d_.]*\.?\s){1,5}[-–—|•·]\s")
_MOST_SIGNING_WORDS = 8
_DAY_AND_MORE = re.compile(r"\d{4}|\d[./-]\d")
_CLOCK = re.compile(r"\d[:.hg]\d\d|\d\s?(?:giờ|gio|[ap]m)\b", re.IGNORECASE)
_SECTION = re.compile(r"^[|•·]\s|\s[|•·]\s[^\d|•·]{2,40}$")


def cut_date(line: Line, dates: DateWords) -> bool:
    """Take out a line that states a date and nothing else, and keep the date; return whether it does."""
    line.visible = visible_date(line.text, dates)
    if line.visible:
        line.remove("any.other.visible-date", "other")
    return line.removed


def visible_date(text: str, dates: DateWords) -> Moment | None:
    """Return the date of a line that states nothing else, a by-line before it excepted."""
    if len(text) > MAX_LENGTH or not _DAY_AND_MORE.search(text):
        return None
    text = _SECTION.sub("", text)
    moment = read_moment(text, dates)
    if moment or not text[-1:].isalnum():
        return moment
    signed = _SIGNED_DATE.match(text)
    if signed and (moment := read_moment(text[signed.end() :], dates)):
        return moment
    return _date_after_names(text, dates)


def _date_after_names(text: str, dates: DateWords) -> Moment | None:
    """Return the date and time that close a line of a few words: an author, an outlet."""
    words = text.split(" ") if _CLOCK.search(text) else []
    for count in range(1, min(len(words), _MOST_SIGNING_WORDS + 1)):
        if words[count - 1][-1:] in FULL_STOPS:
            return None
        moment = read_moment(" ".join(words[count:]), dates)
        if moment and moment.clock:
            return moment
    return None
