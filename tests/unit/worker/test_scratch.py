"""Temporary files of one owner's jobs are gone when another owner's job begins."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from graphjobs.worker.scratch import Scratch, lambda_scratch


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_what_an_owner_left_is_removed_for_the_next_one_alone(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").touch()
    folder = tmp_path / "scratch"
    folder.mkdir()
    (folder / "of-an-import").touch()
    scratch = Scratch(folder)
    assert scratch.enter("a") == []
    (folder / "secret").write_text("a")
    (folder / "cache" / "deep").mkdir(parents=True)
    (folder / "link").symlink_to(outside)
    assert scratch.enter("a") == []
    assert names(folder) == {"of-an-import", "secret", "cache", "link"}
    assert scratch.enter("b") == []
    assert names(folder) == {"of-an-import"}
    assert names(outside) == {"file"}, "a link is removed, and not what it names"
    (folder / "secret").write_text("b")
    scratch.enter("a")
    assert names(folder) == {"of-an-import"}


def test_what_cannot_be_removed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = Scratch(tmp_path)
    scratch.enter("a")
    (tmp_path / "fast").mkdir()
    (tmp_path / "fast" / "file").touch()

    def refuse(path: object) -> None:
        raise PermissionError(path)

    monkeypatch.setattr(shutil, "rmtree", refuse)
    assert scratch.enter("b") == ["fast"]


def test_where_the_folder_is_everybodys_nothing_is_touched() -> None:
    assert lambda_scratch() is None
    assert Scratch(lambda_scratch()).enter("a") == Scratch().enter("b") == []
