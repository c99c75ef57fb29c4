"""Reads the tables of language knowledge that ship with the extractor, and operator files, at the speed of libyaml."""

from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from shared.yaml_config import load, read_text

M = TypeVar("M", bound=BaseModel)


def read_table(name: str) -> Any:
    """Return a YAML table of the data folder as plain mappings and lists."""
    return yaml.load(read_data(name), Loader=yaml.CSafeLoader)


def read_data(name: str) -> str:
    """Return the text of a file in the data folder."""
    return (files("services.extractor.entities") / "data" / name).read_text(encoding="utf-8")


def quick_load(path: Path, model: type[M]) -> M:
    """Return an operator's file as a validated model; `shared.yaml_config.load` reads again, slowly, what libyaml finds wrong.

    Raises `ConfigError` with file, line and key of every problem.
    """
    try:
        return model.model_validate(yaml.load(read_text(path), Loader=yaml.CSafeLoader) or {})
    except (yaml.YAMLError, ValidationError):
        return load(path, model)
