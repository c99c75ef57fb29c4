"""feeds.yaml as the operator wrote it: blocks are added, comments and order stay."""

import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from services.fetcher.feeds import load_feeds
from shared import yaml_config
from shared.links import clean_link


def add_blocks(path: Path, blocks: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Add feeds to the end of the list, and return those that were not there yet (by name or address).

    The file is replaced at once, and only by one that is valid. Raises `ConfigError` for a file that is not, before or after.
    """
    load_feeds(path)
    text = yaml_config.read_text(path)
    yaml = _yaml()
    data = yaml.load(text)
    data = CommentedMap() if data is None else data
    listed = data.setdefault("feeds", CommentedSeq())
    names = {str(block["name"]).casefold() for block in listed}
    links = {clean_link(block["url"]) for block in listed if "url" in block}
    added: list[Mapping[str, Any]] = []
    for block in blocks:
        name, link = str(block["name"]).casefold(), clean_link(block["url"])
        if name not in names and link not in links:
            names.add(name)
            links.add(link)
            listed.append(CommentedMap(block))
            added.append(block)
    if added:
        _replace(path, yaml, data)
    return added


def _replace(path: Path, yaml: YAML, data: Any) -> None:
    written = io.StringIO()
    yaml.dump(data, written)
    draft = path.with_name(f".{path.name}.new")
    try:
        draft.write_text(written.getvalue(), encoding="utf-8")
        load_feeds(draft)
        draft.chmod(path.stat().st_mode)
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _yaml() -> YAML:
    yaml = YAML(typ="rt")
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.preserve_quotes = True
    yaml.width = 4096
    return yaml
