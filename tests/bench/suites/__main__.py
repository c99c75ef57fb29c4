"""Measures the fetcher's reading against public suites of others: `python -m tests.bench.suites --feedparser FOLDER …`.

Each folder is a clone of its repository, kept outside this one; nothing of it is copied. Takes a minute.
"""

import argparse
from pathlib import Path
from statistics import mean

from services.commands.common import out, print_table
from tests.bench.suites import feedparser_suite, feedvalidator_suite, fundus_pages
from tests.bench.suites.claims import Score, score


def main() -> None:
    """Measure what was asked for and print it."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.suites", description=__doc__)
    parser.add_argument("--feedparser", type=Path, help="clone of github.com/kurtmckee/feedparser")
    parser.add_argument("--feedvalidator", type=Path, help="clone of github.com/w3c/feedvalidator")
    parser.add_argument("--fundus", type=Path, help="clone of github.com/flairNLP/fundus")
    parser.add_argument("--misses", action="store_true", help="print what is missed, too")
    arguments = parser.parse_args()
    scores: dict[str, Score] = {}
    if arguments.feedparser:
        scores["feedparser"] = score(*feedparser_suite.read(arguments.feedparser))
    if arguments.feedvalidator:
        scores["feedvalidator"] = score(feedvalidator_suite.read(arguments.feedvalidator), {})
        scores["feedvalidator, valid dates"] = feedvalidator_suite.score_dates(arguments.feedvalidator)
    if scores:
        _print_scores(scores, misses=arguments.misses)
    if arguments.fundus:
        _print_pages(fundus_pages.measure(arguments.fundus), misses=arguments.misses)


def _print_scores(scores: dict[str, Score], *, misses: bool) -> None:
    print_table(
        "Feeds: what the suites say of items, and how much of it is read so",
        ("suite", "files", "crashes", "claims", "met", "share", "groups", "mean of groups"),
        [
            (
                suite, each.files, len(each.crashed), each.asked.total(), each.met.total(), f"{each.share:.2%}",
                len(each.asked), f"{each.mean_of_groups:.2%}",
            )
            for suite, each in scores.items()
        ],
    )  # fmt: skip
    for suite, each in scores.items():
        for crash in each.crashed:
            out.print(f"{suite}: {crash}", markup=False)
        for claim, found in each.missed if misses else ():
            wanted = str(claim.wanted)
            out.print(
                f"{claim.file}, item {claim.item}, {claim.field}: {wanted[:100]!r}, read {found[:100]!r}", markup=False
            )


def _print_pages(pages: list[fundus_pages.PageScore], *, misses: bool) -> None:
    print_table(
        "Pages: text by words, instant of publication",
        ("pages", "precision", "recall", "word-F1", "right instants", "processor ms a page"),
        [
            (
                len(pages), f"{mean(page.precision for page in pages):.3f}", f"{mean(page.recall for page in pages):.3f}",
                f"{mean(page.f1 for page in pages):.3f}", sum(page.instant for page in pages),
                f"{mean(page.ms for page in pages):.0f}",
            )
        ],
    )  # fmt: skip
    for page in sorted(pages, key=lambda page: page.f1) if misses else ():
        if page.f1 < 0.9 or not page.instant:
            out.print(
                f"{page.name}: F1 {page.f1:.3f}, P {page.precision:.3f}, R {page.recall:.3f}, instant {page.instant}"
            )


main()
