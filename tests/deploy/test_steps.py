"""A command of `deploy` ends with all its children, and says where to look when it fails."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from deploy.steps import Failed, run, show_logs

LEAVES_A_CHILD = "sleep 300 & echo $!"


def gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody has waited for counts as ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 10
    while not gone(pid):
        assert time.monotonic() < deadline, f"{pid} is still there"
        time.sleep(0.01)


def test_what_a_command_says_is_returned_and_kept(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    assert run(["echo", "one"], log, seconds=30) == "one\n"
    assert run(["echo", "two"], log, seconds=30) == "two\n"
    assert log.read_text() == "one\ntwo\n"


def test_a_command_that_fails_names_its_log(tmp_path: Path) -> None:
    with pytest.raises(Failed, match=r"exit code 3, see a\.log"):
        run(["sh", "-c", "exit 3"], tmp_path / "a.log", seconds=30)


def test_a_command_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    with pytest.raises(Failed, match="longer than 1 s"):
        run(["sh", "-c", "echo $$; exec sleep 300"], log, seconds=1)
    wait_until_gone(int(log.read_text()))


def test_the_children_of_a_command_end_with_it(tmp_path: Path) -> None:
    child = int(run(["sh", "-c", LEAVES_A_CHILD], tmp_path / "a.log", seconds=30))
    assert child != os.getpid()
    wait_until_gone(child)


def test_the_end_of_every_log_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "cdk.log").write_text("\n".join(f"line {number}." for number in range(500)))
    (tmp_path / "stream.log").write_text("it broke")
    show_logs(tmp_path)
    shown = capsys.readouterr().err
    assert "line 499." in shown and "it broke" in shown
    assert "line 100." not in shown
