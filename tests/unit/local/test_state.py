"""The folder of a local instance belongs to one instance at a time."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest

from graphjobs.local.state import STATE_FILE, FolderTaken, StateFolder


def test_a_second_instance_is_refused_and_leaves_the_firsts_state_alone(tmp_path: Path) -> None:
    first, second = StateFolder(tmp_path), StateFolder(tmp_path)
    first.take()
    first.write(lambda: {"api_url": "http://127.0.0.1:1"})
    with pytest.raises(FolderTaken, match="already"):
        second.take()
    second.clear()
    assert (tmp_path / STATE_FILE).exists()
    first.clear()
    assert not (tmp_path / STATE_FILE).exists()
    second.take()
    second.clear()


def test_threads_that_write_at_once_leave_the_newest_facts_and_none_once_it_is_cleared(tmp_path: Path) -> None:
    folder, numbers = StateFolder(tmp_path), count()
    folder.take()

    def write(_: int) -> None:
        folder.write(lambda: {"number": next(numbers)})

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(write, range(400)))
    assert json.loads((tmp_path / STATE_FILE).read_text()) == {"number": 399}
    folder.clear()
    write(0)
    assert not (tmp_path / STATE_FILE).exists()
