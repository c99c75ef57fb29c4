"""Place and country names compiled from GeoNames and CLDR (see `compile.py`) into two small tables."""

from collections.abc import Iterator
from typing import NamedTuple

from services.extractor.entities.tables import read_data


class Place(NamedTuple):
    """A populated place of GeoNames with the spellings worth looking for; the first is its GeoNames name."""

    id: int
    country: str
    population: int
    names: list[str]


class Territory(NamedTuple):
    """A country or territory with its CLDR name by language."""

    code: str
    names: dict[str, str]


def read_places() -> Iterator[Place]:
    """Yield the places of data/places.tsv."""
    for line in read_data("places.tsv").splitlines():
        identifier, country, population, names = line.split("\t")
        yield Place(int(identifier), country, int(population), names.split("|"))


def read_territories() -> Iterator[Territory]:
    """Yield the territories of data/territories.tsv."""
    lines = read_data("territories.tsv").splitlines()
    languages = lines[0].split("\t")[1:]
    for line in lines[1:]:
        code, *names = line.split("\t")
        yield Territory(code, {language: name for language, name in zip(languages, names, strict=True) if name})
