"""Where the towns of the gazetteer lie, for the map: data/coordinates.tsv (GeoNames, CC BY 4.0), one place a line."""

from functools import cache
from importlib import resources
from typing import Final

_PREFIX: Final = "gn:"


def point_of(canonical: str) -> list[float] | None:
    """Return a place as [longitude, latitude] in degrees, the order of GeoJSON; None for what is no town of the table."""
    return _points().get(canonical)


@cache
def _points() -> dict[str, list[float]]:
    text = resources.files("services.indexer").joinpath("data/coordinates.tsv").read_text(encoding="ascii")
    rows = (line.split("\t") for line in text.splitlines())
    return {_PREFIX + identifier: [float(longitude), float(latitude)] for identifier, longitude, latitude in rows}
