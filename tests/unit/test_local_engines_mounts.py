"""Where an engine may keep its data: Elasticsearch asks the list of mounts, which a chroot hides."""

from pathlib import Path

import pytest

from shared.local_engines import launch
from shared.local_engines.files import on_listed_mount


def test_the_file_system_of_a_folder_is_looked_up(tmp_path: Path) -> None:
    mount = next(place for place in (tmp_path, *tmp_path.parents) if place.is_mount())
    mounts = tmp_path / "mounts"
    mounts.write_text(f"proc /proc proc rw 0 0\ndisk {mount} ext4 rw 0 0\n", encoding="utf-8")
    assert on_listed_mount(tmp_path / "not yet there", mounts)
    mounts.write_text("proc /proc proc rw 0 0\n", encoding="utf-8")
    assert not on_listed_mount(tmp_path / "not yet there", mounts)
    assert on_listed_mount(tmp_path, tmp_path / "no such list")


def test_data_goes_to_a_listed_place_when_its_own_is_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = tmp_path / "listed"
    listed.mkdir()
    monkeypatch.setattr(launch, "_LISTED_PLACE", listed)
    assert launch.data_folder(tmp_path / "data", None) == tmp_path / "data"
    monkeypatch.setattr(launch, "on_listed_mount", lambda place: place == listed)
    moved = launch.data_folder(tmp_path / "data", None)
    assert moved.parent == listed
    monkeypatch.setattr(launch, "on_listed_mount", lambda place: False)
    assert launch.data_folder(tmp_path / "data", None) == tmp_path / "data"
