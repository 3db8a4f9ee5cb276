"""What the terminal of ``graphjobs local`` shows for what the workers tell."""

from __future__ import annotations

import logging
import time

import pytest

from graphjobs.local.console import Console, how_it_ended
from graphjobs.local.log_notes import LogNotes, readable_trace
from graphjobs.local.notes import Note, line_of, note_of

AT = time.struct_time((2026, 11, 25, 9, 5, 7, 2, 329, 0))
JOB = "job-1"


@pytest.fixture
def shown() -> list[str]:
    return []


@pytest.fixture
def console(shown: list[str]) -> Console:
    return Console(shown.append, lambda: AT)


def test_a_job_is_one_line_when_it_begins_and_one_when_it_ends(console: Console, shown: list[str]) -> None:
    console.note({"note": "claimed", "worker": 2, "job_id": JOB, "graph": "chat", "attempt": 1})
    console.note({"note": "finished", "worker": 2, "job_id": JOB, "status": "completed", "code": None, "seconds": 1.5})
    assert shown == [
        "09:05:07  job-1  chat  running on worker-2",
        "09:05:07  job-1  chat  completed after 1.5 s",
    ]


def test_a_failed_job_says_why_and_the_trace_is_shown(console: Console, shown: list[str]) -> None:
    console.note({"note": "claimed", "worker": 1, "job_id": JOB, "graph": "mine", "attempt": 2})
    console.note({"note": "failed", "worker": 1, "job_id": JOB, "trace": 'File "mine.py", line 3\nKeyError: 1'})
    finished = {"note": "finished", "worker": 1, "job_id": JOB, "status": "failed", "code": "graph_error"}
    console.note({**finished, "seconds": 0.2})
    assert shown == [
        "09:05:07  job-1  mine  running on worker-1, attempt 2",
        '09:05:07  job-1  mine  the graph raised\n    File "mine.py", line 3\n    KeyError: 1',
        "09:05:07  job-1  mine  failed: graph_error after 0.2 s",
    ]


def test_a_lost_worker_is_said_with_what_it_had(console: Console, shown: list[str]) -> None:
    console.note({"note": "died", "worker": 1, "exit_code": -9, "job_id": JOB})
    console.note({"note": "died", "worker": 2, "exit_code": 70, "job_id": None})
    console.child_died("stream", 1)
    assert [line.partition("  ")[2] for line in shown] == [
        "worker-1 ended (killed by SIGKILL) while it had job-1, which goes on in another attempt; started again",
        "worker-2 ended (exit code 70); started again",
        "stream ended (exit code 1); started again",
    ]


def test_a_worker_that_starts_says_nothing_to_a_person(console: Console, shown: list[str]) -> None:
    console.note({"note": "started", "worker": 1, "pid": 17})
    assert shown == []


@pytest.mark.parametrize(
    ("code", "words"),
    [(0, "exit code 0"), (-15, "killed by SIGTERM"), (-200, "killed by signal 200"), (None, "exit code None")],
)
def test_an_exit_code_in_words(code: int | None, words: str) -> None:
    assert how_it_ended(code) == words


@pytest.mark.parametrize("line", [b"", b"no note", b'{"note"', b'{"level": "INFO"}', b'["note"]'])
def test_a_line_that_is_no_note_is_a_line_of_the_log(line: bytes) -> None:
    assert note_of(line) is None


def test_a_note_goes_through_a_line() -> None:
    note: Note = {"note": "failed", "worker": 1, "trace": "a\nb"}
    line = line_of(note)
    assert "\n" not in line
    assert note_of(line.encode()) == note


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


def test_an_exception_that_cannot_be_printed_still_has_its_trace() -> None:
    try:
        raise Unprintable
    except Unprintable as error:
        trace = readable_trace(error)
    assert "Unprintable" in trace
    assert __file__ in trace


def test_the_workers_log_lines_become_notes() -> None:
    notes: list[Note] = []
    keys = {"job_id": JOB}
    log = logging.Logger("test")
    log.addHandler(LogNotes(notes.append, lambda: keys))
    log.info("claimed", extra={"graph": "chat", "attempt": 1, "epoch": 3})
    log.info("something else")
    try:
        raise ValueError("bad")
    except ValueError:
        log.exception("graph failed")
    log.info("finished", extra={"status": "failed", "code": "graph_error"})
    keys.clear()
    log.info("claimed", extra={"graph": "of no job"})
    assert [note["note"] for note in notes] == ["claimed", "failed", "finished"]
    assert notes[0] | {"epoch": 3} == notes[0]
    assert notes[1]["trace"].endswith("ValueError: bad")
    assert notes[2]["status"] == "failed"


def test_each_graph_that_cannot_be_had_is_one_line_with_the_reason_and_said_once(
    console: Console, shown: list[str]
) -> None:
    note = {"note": "graphs", "worker": 1, "reports": [["chat", ""], ["mine", "Graph 'mine' cannot be imported: X."]]}
    console.note(note)
    console.note({**note, "worker": 2})
    assert shown == ["09:05:07  graphs that are served: chat\n  Graph 'mine' cannot be imported: X."]
    console.note({**note, "reports": [["chat", ""], ["mine", ""]]})
    assert shown[1] == "09:05:07  graphs that are served: chat, mine"


def test_a_project_without_a_graph_that_can_be_had_says_so(console: Console, shown: list[str]) -> None:
    console.note({"note": "graphs", "worker": 1, "reports": [["mine", "no"]]})
    assert shown == ["09:05:07  graphs that are served: none\n  no"]
