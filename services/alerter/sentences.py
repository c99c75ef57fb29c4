"""One sentence, in Vietnamese and in English, that says why there is an alert."""

from services.alerter.watched import Window
from shared.alerts import AlertKind, Coverage

_SUBJECTS_VI = {"keyword": "từ khoá", "feed": "nguồn tin", "language": "ngôn ngữ"}


def reasons(
    kind: AlertKind, subject: str, name: str, window: Window, sources: int, languages: int, coverage: Coverage
) -> tuple[str, str]:
    """Return the reason in Vietnamese and in English."""
    heard, silent = _coverage(coverage)
    if kind is AlertKind.SILENCE:
        all_feeds = name == "*"
        who_vi = "mọi nguồn tin" if all_feeds else f"{_SUBJECTS_VI[subject]} {name}"
        who_en = "all feeds" if all_feeds else f"{subject} {name}"
        return (
            f"Im lặng: {who_vi} — {window.stories} tin trong {window.hours} giờ, thường {_vi(window.expected)}{heard}",
            f"Silence: {who_en} — {window.stories} in {window.hours} h, usually {_en(window.expected)}{silent}",
        )
    title_vi, title_en = ("Từ mới", "New term") if kind is AlertKind.NEW_TERM else ("Đột biến", "Spike")
    return (
        f"{title_vi}: {name} — {window.stories} tin trong {window.hours} giờ, thường {_vi(window.expected)} "
        f"(×{_vi(window.ratio)}), {sources} nguồn, {languages} ngôn ngữ{heard}",
        f"{title_en}: {name} — {window.stories} stories in {window.hours} h, usually {_en(window.expected)} "
        f"(×{_en(window.ratio)}), {sources} sources, {languages} languages{silent}",
    )


def _coverage(coverage: Coverage) -> tuple[str, str]:
    if not coverage.silent_feeds:
        return "", ""
    share, count = round(100 * coverage.share), len(coverage.silent_feeds)
    feeds = "feed" if count == 1 else "feeds"
    return f"; độ phủ {share} %: {count} nguồn im lặng", f"; coverage {share} %: {count} {feeds} silent"


def _en(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _vi(value: float) -> str:
    return _en(value).translate(str.maketrans(".,", ",."))
