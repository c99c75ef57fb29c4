"""Configuration that follows its file: good edits take effect, broken ones leave the last good one in force."""

import os
import time
from pathlib import Path

import pytest
from structlog.typing import EventDict

from shared.metrics import REGISTRY
from shared.reload import Reloading
from shared.yaml_config import ConfigError, ConfigModel, load


class Config(ConfigModel):
    delay: int = 1


class Edited:
    """A file under edit, and the configuration that follows it on a clock set by hand."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = 0.0
        self.loads = 0
        self.stamp = 0
        self.wall = time.time()
        self.edit("delay: 1")
        self.config = Reloading(
            str(path), self._load, lambda: [path], clock=lambda: self.now, wall=lambda: self.wall, interval=1.0
        )

    def edit(self, text: str) -> None:
        self.path.write_text(text, encoding="utf-8")
        self.stamp += 1
        os.utime(self.path, ns=(self.stamp, self.stamp))

    def later(self, seconds: float = 1.0) -> int:
        self.now += seconds
        return self.config.get().delay

    def metric(self, name: str, **labels: str) -> float | None:
        return REGISTRY.get_sample_value(name, {"file": str(self.path)} | labels)

    def _load(self) -> Config:
        self.loads += 1
        return load(self.path, Config)


@pytest.fixture
def edited(tmp_path: Path) -> Edited:
    return Edited(tmp_path / "wire.yaml")


def test_a_good_edit_takes_effect(edited: Edited, logged: list[EventDict]) -> None:
    edited.edit("delay: 2")
    assert edited.later() == 2
    assert edited.config.problem is None
    assert [event["event"] for event in logged] == ["config_loaded"]
    assert edited.metric("frontwire_config_reloads_total", outcome="loaded") == 1


def test_a_broken_edit_keeps_the_last_good_one_and_says_where_it_is_broken(
    edited: Edited, logged: list[EventDict]
) -> None:
    edited.edit("delay: 2")
    edited.later()
    logged.clear()
    edited.edit("\ndelay: soon\ndelya: 3")
    assert edited.later() == 2
    assert edited.config.problem is not None
    assert [(event["event"], event["line"], event["key"]) for event in logged] == [
        ("config_refused", 2, "delay"),
        ("config_refused", 3, "delya"),
    ]
    assert edited.metric("frontwire_config_refused") == 1
    assert edited.metric("frontwire_config_reloads_total", outcome="refused") == 1


def test_a_mended_file_takes_effect_again(edited: Edited) -> None:
    edited.edit("delay: [")
    assert edited.later() == 1
    edited.edit("delay: 3")
    assert edited.later() == 3
    assert edited.config.problem is None
    assert edited.metric("frontwire_config_refused") == 0


def test_a_deleted_file_keeps_the_last_good_one(edited: Edited) -> None:
    edited.path.unlink()
    assert edited.later() == 1
    assert edited.config.problem is not None


def test_the_file_is_looked_at_no_more_often_than_the_interval(edited: Edited) -> None:
    edited.edit("delay: 2")
    assert edited.later(0.9) == 1
    assert edited.later(0.2) == 2


def test_a_file_that_is_being_written_is_left_alone_for_a_moment(edited: Edited, logged: list[EventDict]) -> None:
    edited.edit("")
    written = time.time()
    os.utime(edited.path, (written, written))
    edited.wall = written + 0.4
    assert edited.later() == 1
    edited.edit("delay: soon")
    assert edited.later() == 1
    assert [event["event"] for event in logged] == ["config_refused"]


def test_an_unchanged_file_is_loaded_once_and_a_broken_one_is_not_tried_again(edited: Edited) -> None:
    for _ in range(5):
        edited.later()
    assert edited.loads == 1
    edited.edit("delay: soon")
    for _ in range(5):
        edited.later()
    assert edited.loads == 2


def test_the_first_load_must_succeed(tmp_path: Path) -> None:
    path = tmp_path / "wire.yaml"
    path.write_text("delay: soon", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"wire\.yaml:1: delay"):
        Reloading("wire", lambda: load(path, Config), lambda: [path])


def test_a_new_file_in_a_folder_is_seen(tmp_path: Path) -> None:
    now = [0.0]
    names = Reloading(
        "names",
        lambda: sorted(path.name for path in tmp_path.iterdir()),
        lambda: tmp_path.glob("*.yaml"),
        clock=lambda: now[0],
        wall=lambda: 0.0,
    )
    (tmp_path / "người.yaml").touch()
    now[0] = 2.0
    assert names.get() == ["người.yaml"]
