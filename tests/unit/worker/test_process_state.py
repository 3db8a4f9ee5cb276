"""What a node may change of the process is as it was for the next job; our own lines go on whatever it does."""

from __future__ import annotations

import importlib
import io
import json
import logging
import logging.config
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from graphjobs.observability import logger
from graphjobs.worker.process_state import LastingOutput, ProcessState


@pytest.fixture
def state() -> Iterator[ProcessState]:
    """The state now, put back in any case."""
    noted = ProcessState()
    yield noted
    noted.restore()


def test_an_untouched_process_has_nothing_to_put_back(state: ProcessState) -> None:
    state.note()  # pytest itself sets a variable between a fixture and its test
    assert state.restore() == []


def test_the_working_directory_is_put_back_though_it_was_removed(state: ProcessState, tmp_path: Path) -> None:
    before, gone = Path.cwd(), tmp_path / "gone"
    gone.mkdir()
    state.note()
    os.chdir(gone)
    gone.rmdir()
    assert state.restore() == ["working directory"] and Path.cwd() == before


def test_variables_that_were_set_changed_or_deleted_are_as_before(
    monkeypatch: pytest.MonkeyPatch, state: ProcessState
) -> None:
    monkeypatch.setenv("KEPT", "1")
    monkeypatch.setenv("LOST", "1")
    state.note()
    os.environ |= {"KEPT": "2", "USERS_KEY": "secret"}
    del os.environ["LOST"]
    assert state.restore() == ["environment"]
    assert (os.environ["KEPT"], os.environ["LOST"], "USERS_KEY" in os.environ) == ("1", "1", False)


def test_what_a_module_sets_when_a_node_imports_it_stays(
    state: ProcessState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sets_a_variable.py").write_text("import os\nos.environ['FROM_IMPORT'] = '1'\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("FROM_IMPORT", raising=False)
    state.note()
    importlib.import_module("sets_a_variable")
    assert state.restore() == [] and os.environ["FROM_IMPORT"] == "1"


def test_streams_that_were_closed_or_replaced_are_there_again(
    state: ProcessState, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own = (tmp_path / "out").open("w")
    monkeypatch.setattr(sys, "stdout", own)
    state.note()
    sys.stdout = io.StringIO()
    assert state.restore() == ["standard streams"] and sys.stdout is own
    own.close()
    assert state.restore() == ["standard streams"]
    print("goes on")


def test_signal_handlers_and_the_sockets_time_out_are_put_back(state: ProcessState) -> None:
    state.note()
    before = signal.getsignal(signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, lambda number, frame: None)
    socket.setdefaulttimeout(0.001)
    assert state.restore() == ["signal handlers", "socket timeout"]
    assert signal.getsignal(signal.SIGUSR1) == before and socket.getdefaulttimeout() is None


def test_our_lines_go_on_when_standard_output_is_closed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    own = (tmp_path / "out").open("w")
    monkeypatch.setattr(sys, "stdout", own)
    lasting = LastingOutput()
    made = logger("lasting", lasting)
    made.info("before")
    sys.stdout.close()
    made.info("after")
    lasting.close()
    lines = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert [line["message"] for line in lines] == ["before", "after"]


def test_nothing_that_a_project_does_to_logging_reaches_our_logger(capsys: pytest.CaptureFixture[str]) -> None:
    made = logger("untouchable")
    root = (list(logging.root.handlers), logging.root.level)
    try:
        logging.config.dictConfig({"version": 1, "root": {"handlers": [], "level": "CRITICAL"}})
        logging.disable(logging.CRITICAL)
        logging.getLogger("untouchable").disabled = True
        logging.getLogger("untouchable").setLevel(logging.CRITICAL)
        made.info("still here")
    finally:
        logging.disable(logging.NOTSET)
        logging.root.handlers[:], logging.root.level = root
    assert "still here" in capsys.readouterr().out
