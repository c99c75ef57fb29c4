"""Reads the tables of language knowledge that ship with the extractor (data/*.yaml, data/*.tsv)."""

from importlib.resources import files
from typing import Any

from ruamel.yaml import YAML


def read_table(name: str) -> Any:
    """Return a YAML table of the data folder as plain mappings and lists."""
    return YAML(typ="safe", pure=True).load(read_data(name))


def read_data(name: str) -> str:
    """Return the text of a file in the data folder."""
    return (files("services.extractor.entities") / "data" / name).read_text(encoding="utf-8")
