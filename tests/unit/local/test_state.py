"""The folder of a local instance belongs to one instance at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphjobs.local.state import STATE_FILE, FolderTaken, StateFolder


def test_a_second_instance_is_refused_and_leaves_the_firsts_state_alone(tmp_path: Path) -> None:
    first, second = StateFolder(tmp_path), StateFolder(tmp_path)
    first.take()
    first.write({"api_url": "http://127.0.0.1:1"})
    with pytest.raises(FolderTaken, match="already"):
        second.take()
    second.clear()
    assert (tmp_path / STATE_FILE).exists()
    first.clear()
    assert not (tmp_path / STATE_FILE).exists()
    second.take()
    second.clear()
