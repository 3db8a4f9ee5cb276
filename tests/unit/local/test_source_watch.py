"""A change of what was loaded is seen; a change of anything else is not."""

from __future__ import annotations

import importlib
import os
from pathlib import Path

import pytest

from graphjobs.local.source_watch import SourceWatch


def touch(path: Path) -> None:
    before = path.stat()
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1_000_000))


@pytest.fixture
def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "watched_module_of_a_test.py"
    path.write_text("value = 1\n")
    (tmp_path / "never_imported.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(importlib.sys.modules, path.stem, raising=False)  # type: ignore[attr-defined]
    importlib.import_module(path.stem)
    return path


def test_a_module_that_was_loaded_and_has_changed_is_named(loaded: Path, tmp_path: Path) -> None:
    watch = SourceWatch(tmp_path)
    watch.look()
    assert watch.changed() is None
    touch(loaded)
    assert watch.changed() == loaded


def test_what_was_not_loaded_or_lies_elsewhere_does_not_count(loaded: Path, tmp_path: Path) -> None:
    watch = SourceWatch(tmp_path)
    watch.look()
    touch(tmp_path / "never_imported.py")
    assert watch.changed() is None
    elsewhere = SourceWatch(tmp_path / "other")
    elsewhere.look()
    touch(loaded)
    assert elsewhere.changed() is None


def test_other_files_are_watched_from_the_start_and_their_loss_is_a_change(tmp_path: Path) -> None:
    path = tmp_path / "langgraph.json"
    path.write_text("{}")
    watch = SourceWatch(tmp_path, [path])
    assert watch.changed() is None
    path.unlink()
    assert watch.changed() == path
