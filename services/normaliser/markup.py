"""Turning a feed's HTML into plain text without losing track of a single character.

A scanner of its own, because the text must know its offsets in the HTML and the time must grow with the input only: the standard
library's parser takes 46 s for 60 kB of unclosed tags, and trees give no offsets. A comment, script or style that is never
closed runs to the end of the text, as in a browser; a `<` that opens no tag is text.
"""

import re
from collections.abc import Iterator
from typing import Final

from services.normaliser.changes import Change

FAMILY_MARKUP: Final = "markup"

_PARAGRAPHS: Final = re.compile(
    "address|article|aside|blockquote|body|caption|center|d[dlt]|div|fieldset|figcaption|figure|footer|form|h[1-6]|head|header|hr|html"
    "|li|main|nav|[ou]l|p|pre|section|table|tbody|t[dhr]|tfoot|thead|title"
)
_HIDDEN: Final = frozenset(("iframe", "noscript", "script", "style", "svg", "template"))
_TAG = re.compile(r"</?([A-Za-z][A-Za-z0-9:-]{0,30})")
_QUOTE_OR_END = re.compile(r"[\"'>]")
_BLANKS = re.compile(r"\s+")


def strip_markup(html: str) -> list[Change]:
    """Return the changes that leave the text of an HTML fragment: tags go, blocks become paragraphs, `br` a line break."""
    changes: list[Change] = []
    position = 0
    for start, end, replacement in _tags(html):
        changes.extend(_source_breaks(html, position, start))
        changes.append(Change(start, end, replacement, "markup.tag", FAMILY_MARKUP))
        position = end
    changes.extend(_source_breaks(html, position, len(html)))
    return changes


def _source_breaks(html: str, start: int, end: int) -> Iterator[Change]:
    """Write the line breaks of the source, which mean nothing in HTML, as blanks."""
    for match in _BLANKS.finditer(html, start, end):
        if "\n" in match[0]:
            yield Change(match.start(), match.end(), " ", "markup.source-break", FAMILY_MARKUP)


def _tags(html: str) -> Iterator[tuple[int, int, str]]:
    """Yield start, end and replacement of every tag, comment and hidden element."""
    position = 0
    while (start := html.find("<", position)) >= 0:
        if html.startswith("<!--", start):
            close = html.find("-->", start + 4)
            end, replacement = (close + 3 if close >= 0 else len(html)), ""
        elif html.startswith(("<!", "<?"), start):
            close = html.find(">", start)
            end, replacement = (close + 1 if close >= 0 else len(html)), ""
        elif tag := _TAG.match(html, start):
            name = tag[1].lower()
            end = _tag_end(html, tag.end())
            if name in _HIDDEN and html[start + 1] != "/":
                end = _hidden_end(html, name, end)
            replacement = "\n\n" if _PARAGRAPHS.fullmatch(name) else "\n" if name == "br" else ""
        else:
            position = start + 1
            continue
        yield start, end, replacement
        position = end


def _tag_end(html: str, position: int) -> int:
    """Return the end of a tag, quoted attribute values that hold `>` respected."""
    while match := _QUOTE_OR_END.search(html, position):
        if match[0] == ">":
            return match.end()
        close = html.find(match[0], match.end())
        if close < 0:
            break
        position = close + 1
    return len(html)


def _hidden_end(html: str, name: str, position: int) -> int:
    """Return the end of an element whose content is not text."""
    close = re.compile(rf"</{name}\s*>", re.IGNORECASE).search(html, position)
    return close.end() if close else len(html)
