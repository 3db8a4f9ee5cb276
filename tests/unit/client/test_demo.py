"""The demo, against the scripted service; and the child process it runs, as real processes."""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from graphjobs.cli import demo, local_process
from graphjobs.cli.demo import DemoError, demonstrate, main, time_limit
from graphjobs.cli.demo_talk import REQUEST, TalkError, converse
from graphjobs.cli.local_process import LocalProcess, LocalStartError
from graphjobs.client.client import Client
from tests.unit.client.log import JOB_ID, chat_log, event, wire
from tests.unit.client.service import Service, answer_json, problem, stream_answer

Clients = Callable[..., Client]
Capture = pytest.CaptureFixture[str]
WORDS = [f"낱말{number} " for number in range(25)]


@pytest.fixture
def long_answer(service: Service) -> Service:
    service.log[:] = chat_log(WORDS)
    return service


def test_the_demo_cuts_resumes_and_checks(client_of: Clients, long_answer: Service, capsys: Capture) -> None:
    demonstrate(client_of())
    out = capsys.readouterr().out
    assert "".join(WORDS[:10]) + "\n==> Cut the connection after event 11" in out
    assert "Resuming with Last-Event-ID: 11. The rest:\n" + "".join(WORDS[10:]) + "\n" in out
    assert "Received events 1 to 27, without a gap or a repeat." in out
    assert "Final status: completed" in out
    streams = long_answer.requests_for(f"/stream/{JOB_ID}")
    assert [seen.headers.get("last-event-id") for seen in streams] == [None, "11"]


TALK = ("job-asks", "job-answered", "job-next")


def script_talk(service: Service, last: str = "You began with: Please refund order 17.", refused: bool = True) -> None:
    """Have `service` play the conversation; the last turn says `last`."""
    asked = {"status": "interrupted", "graph": "desk", "thread_id": "t-1", "interrupts": [{"id": "i-1", "value": "?"}]}
    accepted = [answer_json({"job_id": job_id, "thread_id": "t-1", "status": "queued"}, 202) for job_id in TALK]
    second = problem(409, "no_such_interrupt", "It was answered.") if refused else accepted[1]
    service.script("/jobs", *accepted[:2], second, accepted[2])
    service.script("/jobs/job-asks/status", *[answer_json({"job_id": "job-asks", **asked})] * 2)
    ends = ({"status": "interrupted"}, {"status": "completed"}, {"status": "completed"})
    for job_id, end in zip(TALK, ends, strict=True):
        result = {"messages": [{"content": last}]}
        events = [event(1, "metadata", graph="desk"), event(2, "done", **end, result=result)]
        service.script(f"/stream/{job_id}", stream_answer(wire(events)))


def test_the_conversation_is_answered_once_and_goes_on(client_of: Clients, service: Service, capsys: Capture) -> None:
    steps: list[str] = []
    script_talk(service)
    converse(client_of(), steps.append)
    assert "refused: no_such_interrupt." in steps[2]
    first, answer, _, following = (seen.json for seen in service.requests if seen.method == "POST")
    assert first["query"] == REQUEST
    assert answer["command"] == {"resume": {"i-1": "yes"}} and answer["thread_id"] == "t-1"
    assert following["thread_id"] == "t-1"
    assert capsys.readouterr().out.splitlines()[0] == "[interrupted]"


@pytest.mark.parametrize(
    ("script", "text"), [({"last": "Who are you?"}, "does not know of the first"), ({"refused": False}, "was accepted")]
)
def test_a_conversation_that_goes_otherwise_fails_the_demo(
    client_of: Clients, service: Service, script: dict[str, Any], text: str
) -> None:
    script_talk(service, **script)
    with pytest.raises(TalkError, match=text):
        converse(client_of(), lambda _: None)


def test_an_answer_too_short_to_cut_fails_the_demo(client_of: Clients, service: Service) -> None:
    with pytest.raises(DemoError, match="over after 4 tokens"):
        demonstrate(client_of())


@pytest.mark.parametrize(("member", "value"), [("last_seq", 99), ("status", "failed")])
def test_a_promise_that_does_not_hold_fails_the_demo(
    client_of: Clients, long_answer: Service, member: str, value: object
) -> None:
    job = {"status": "completed", "last_seq": 27, member: value}
    long_answer.script(f"/jobs/{JOB_ID}/status", answer_json(job), answer_json(job))
    with pytest.raises(DemoError, match=str(value)):
        demonstrate(client_of())


def test_the_whole_demo_with_a_stand_in_for_the_local_instance(
    long_answer: Service, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    long_answer.script("/jobs", answer_json({"job_id": JOB_ID, "status": "queued"}, 202))
    script_talk(long_answer)
    state = json.dumps({"api_url": long_answer.url, "stream_url": long_answer.url, "pids": {}})
    monkeypatch.setattr(demo, "LOCAL_COMMAND", (sys.executable, "-c", stand_in(state)))
    monkeypatch.setattr("graphjobs.cli.target.mint_local_token", lambda folder, user, seconds: "good")
    assert main() == 0
    assert capsys.readouterr().out.endswith("Stopped the local instance.\ndemo: everything held.\n")


def test_a_demo_that_cannot_start_shows_why(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setattr(demo, "LOCAL_COMMAND", (sys.executable, "-c", "raise SystemExit('port is taken')"))
    assert main() == 1
    err = capsys.readouterr().err
    assert "did not start: it ended with exit code 1" in err
    assert err.endswith("  port is taken\n")


def test_a_demo_that_fails_later_shows_what_the_local_instance_said(
    service: Service, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    state = json.dumps({"api_url": service.url, "stream_url": service.url, "pids": {}})
    monkeypatch.setattr(demo, "LOCAL_COMMAND", (sys.executable, "-c", stand_in(state, "words of warning")))
    monkeypatch.setattr("graphjobs.cli.target.mint_local_token", lambda folder, user, seconds: "good")
    assert main() == 1
    err = capsys.readouterr().err
    assert "over after 4 tokens" in err
    assert err.endswith("  words of warning\n")


def stand_in(state: str, warning: str = "") -> str:
    """A script that says that it is ready, as the local instance does."""
    return (
        "import os, pathlib, sys, time\n"
        "folder = pathlib.Path(os.environ['GRAPHJOBS_STATE_DIR']); folder.mkdir()\n"
        f"(folder / 'local.json').write_text({state!r})\n"
        f"print({warning!r}, file=sys.stderr, flush=True)\n"
        f"print({state!r}, flush=True)\n"
        "time.sleep(60)\n"
    )


def test_a_time_limit_ends_what_waits() -> None:
    started = time.monotonic()
    with pytest.raises(DemoError, match="not finished"), time_limit(0.05):
        time.sleep(30)
    assert time.monotonic() - started < 10


def child(script: str) -> LocalProcess:
    return LocalProcess((sys.executable, "-c", script), os.environ)


@pytest.mark.parametrize("line", ["not json", "[]", "{}"])
def test_a_ready_line_that_is_none_is_shown(line: str) -> None:
    talker = child(f"print({line!r}, flush=True); import time; time.sleep(60)")
    with talker as local, pytest.raises(LocalStartError, match="its ready line is"):
        local.ready(20)


def test_a_child_that_says_nothing_is_not_waited_for_for_ever() -> None:
    silent = child("import time; time.sleep(60)")
    with silent as local, pytest.raises(LocalStartError, match="not ready within"):
        local.ready(0.05)


def test_a_child_that_does_not_listen_is_killed_with_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_process, "STOP_SECONDS", 0.2)
    script = (
        "import json, os, signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "worker = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(json.dumps({'pids': {'api': os.getpid(), 'workers': [worker.pid]}}), flush=True)\n"
        "worker.wait(); time.sleep(60)\n"
    )
    with child(script) as local:
        pids = local.ready(20)["pids"]
    await_that(lambda: not any(alive(pid) for pid in (pids["api"], *pids["workers"])))


def alive(pid: int) -> bool:
    """Whether `pid` runs: a zombie that nobody has reaped yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_what_a_dead_local_instance_left_behind_is_killed() -> None:
    script = (
        "import json, os, subprocess, sys\n"
        "worker = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(json.dumps({'pids': {'workers': [worker.pid]}}), flush=True)\n"
        "os.abort()\n"
    )
    with child(script) as local:
        (worker,) = local.ready(20)["pids"]["workers"]
        await_that(lambda: not local.running)
        assert alive(worker)
    await_that(lambda: not alive(worker))


def await_that(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "still not so after 10 s"
        time.sleep(0.01)
