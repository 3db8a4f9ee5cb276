"""A child process ends with all its own, whatever ended it, and whether it listens or not."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from graphjobs.processes import running, start, stop, stop_group

DEAF = "trap '' TERM; echo ready; while :; do sleep 0.05; done"
WITH_A_CHILD = "sleep 300 & echo $!; wait"


def first_line(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().decode().strip()


def until_gone(pid: int) -> None:
    """Wait until a process has ended; one that nobody has waited for counts as ended."""
    deadline = time.monotonic() + 10
    while True:
        try:
            state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return
        if state == "Z":
            return
        assert time.monotonic() < deadline, f"{pid} is still there"
        time.sleep(0.01)


def shell(script: str) -> subprocess.Popen[bytes]:
    return start(["sh", "-c", script], os.environ, stdout=subprocess.PIPE)


@pytest.mark.parametrize(
    ("script", "asked"),
    [("echo ready; exec sleep 300", True), (DEAF, False)],
    ids=["listens", "does not listen"],
)
def test_a_child_is_asked_to_end_and_then_killed(script: str, asked: bool) -> None:
    with shell(script) as process:
        assert first_line(process) == "ready"
        assert stop(process, seconds=0.2 if not asked else 10) is asked
        assert process.poll() is not None


def test_one_that_had_ended_did_not_end_because_it_was_asked() -> None:
    with shell("exit 3") as process:
        process.wait(10)
        assert stop(process) is False
        assert process.returncode == 3


def test_its_children_end_with_it() -> None:
    with shell(WITH_A_CHILD) as process:
        child = int(first_line(process))
        stop_group(process)
        until_gone(child)


def test_children_that_a_child_has_left_behind_end_when_the_block_ends(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("before\n")
    with running(["sh", "-c", "sleep 300 & echo $!"], os.environ, log=log) as process:
        process.wait(10)
    before, child = log.read_text().split()
    assert before == "before"
    until_gone(int(child))


def test_a_child_ends_when_the_block_fails(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="ours"), running(["sleep", "300"], os.environ, cwd=tmp_path) as process:
        raise RuntimeError("ours")
    assert process.returncode is not None


def test_it_sees_nothing_but_what_it_is_given(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    command = ["/bin/sh", "-c", "echo $ONLY; echo error >&2; echo ${HOME-none}; pwd"]
    with running(command, {"ONLY": "this"}, cwd=tmp_path, log=log) as process:
        process.wait(10)
    assert log.read_text() == f"this\nerror\nnone\n{tmp_path}\n"
