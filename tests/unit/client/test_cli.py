"""The command line as a person or a script sees it: what is printed where, and the exit code."""

import json
import shlex
import signal
import sys
import threading
from importlib.metadata import version
from pathlib import Path

import pytest

from graphjobs.cli.main import main
from tests.unit.client.conftest import TOKENS
from tests.unit.client.log import JOB_ID, chat_log, event, wire
from tests.unit.client.service import Answer, Seen, Service, problem, stream_answer

LOG = chat_log(TOKENS)
STREAM = f"/stream/{JOB_ID}"
Capture = pytest.CaptureFixture[str]

pytestmark = pytest.mark.usefixtures("configured")


def test_submit_names_the_job_and_how_to_follow_it(service: Service, capsys: Capture) -> None:
    options = ["--graph", "chat", "--timeout-seconds", "9", "--idempotency-key", "k", "--metadata"]
    code = main(["submit", "환불?", *options, '{"a": 1}'])
    out, err = capsys.readouterr()
    assert (code, out) == (0, f"{JOB_ID} queued\n")
    assert err == f"Follow it with: graphjobs stream {JOB_ID}\n"
    (seen,) = service.requests
    assert seen.json == {"query": "환불?", "graph": "chat", "metadata": {"a": 1}, "timeout_seconds": 9}
    assert seen.headers["idempotency-key"] == "k"


def test_submit_with_stream_prints_the_answer_and_the_status(capsys: Capture) -> None:
    assert main(["submit", "환불?", "--stream"]) == 0
    out, err = capsys.readouterr()
    assert out == "환불은 14일 이내에 가능합니다.\n[completed]\n"
    assert err == f"submitted {JOB_ID}\ngraph chat, model offline\n"


def test_stream_as_json_is_one_event_a_line(capsys: Capture) -> None:
    assert main(["stream", JOB_ID, "--after", "2", "--json"]) == 0
    out, err = capsys.readouterr()
    assert [json.loads(line) for line in out.splitlines()] == LOG[2:]
    assert "14일" in out
    assert err == ""


def test_max_events_says_how_to_resume(service: Service, capsys: Capture) -> None:
    assert main(["stream", JOB_ID, "--after", "1", "--max-events", "2"]) == 0
    out, err = capsys.readouterr()
    assert out == "환불은 14일 \n"
    assert err == f"Stopped after 2 events. Resume with: graphjobs stream {JOB_ID} --after 3\n"


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_job_that_did_not_complete_is_exit_code_1(service: Service, capsys: Capture, status: str) -> None:
    service.log[1:] = [
        event(2, "error", code="graph_error", message="It\nbroke."),
        event(3, "done", status=status, result=None),
    ]
    assert main(["stream", JOB_ID]) == 1
    out, err = capsys.readouterr()
    assert out == f"[{status}]\n"
    assert err.endswith("error graph_error: It broke.\n")


def test_a_stream_with_nothing_more_tells_the_status(capsys: Capture) -> None:
    assert main(["stream", JOB_ID, "--after", "6"]) == 0
    out, err = capsys.readouterr()
    assert (out, err) == ("", "Nothing follows event 6: the job is completed.\n")


def test_ctrl_c_leaves_with_130_and_says_how_to_resume(service: Service, capsys: Capture) -> None:
    def interrupt(seen: Seen) -> Answer:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        return Answer(204, b"")

    service.script(STREAM, stream_answer(wire(LOG[:3])), interrupt)
    assert main(["stream", JOB_ID]) == 130
    out, err = capsys.readouterr()
    assert out == "환불은 14일 \n"
    resume = f"Resume with: graphjobs stream {JOB_ID} --after 3\n"
    assert err.endswith(f"Left the stream; the job goes on. {resume}")


def test_a_stream_that_goes_wrong_ends_its_line_and_says_how_to_resume(service: Service, capsys: Capture) -> None:
    service.script(STREAM, stream_answer(wire([*LOG[:2], LOG[3]])))
    assert main(["stream", JOB_ID]) == 1
    out, err = capsys.readouterr()
    assert out == "환불은 \n"
    assert "--after 2\ngraphjobs: The stream has a gap in its events: expected seq 3, received 4.\n" in err


def test_status_is_a_member_a_line_and_the_result_below(capsys: Capture) -> None:
    assert main(["status", JOB_ID]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"job_id     {JOB_ID}"
    assert "status     completed" in lines
    assert lines[-2:] == ["result:", "  answer: 환불은 14일 이내에 가능합니다."]


def test_cancel_tells_the_status(capsys: Capture) -> None:
    assert main(["cancel", JOB_ID]) == 0
    assert capsys.readouterr().out == f"{JOB_ID} cancelling\n"


def test_revoke_and_delete_say_what_they_have_done(capsys: Capture, service: Service) -> None:
    assert main(["revoke", JOB_ID]) == main(["delete", JOB_ID]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{JOB_ID} has no stream address any more that was given before",
        f"{JOB_ID} deleted",
    ]
    assert [(each.method, each.path) for each in service.requests] == [
        ("DELETE", f"/jobs/{JOB_ID}/stream-ticket"),
        ("DELETE", f"/jobs/{JOB_ID}"),
    ]


def test_list_is_a_table_and_names_the_next_page(service: Service, capsys: Capture) -> None:
    assert main(["list", "--status", "completed", "--limit", "1", "--cursor", "c"]) == 0
    out, err = capsys.readouterr()
    assert [line.split() for line in out.splitlines()] == [
        ["job_id", "status", "graph", "age", "took"],
        [JOB_ID, "completed", "chat", "-", "-"],
    ]
    assert err == "More with: graphjobs list --status completed --limit 1 --cursor more\n"
    assert service.requests[0].path == "/jobs?status=completed&limit=1&cursor=c"


def test_the_next_page_is_one_of_the_same_list(capsys: Capture, service: Service) -> None:
    assert main(["list", "--owner", "auth0|ann", "--status", "failed", "--limit", "5"]) == 0
    again = "graphjobs list --status failed --limit 5 --owner 'auth0|ann' --cursor more"
    assert capsys.readouterr().err == f"More with: {again}\n"
    assert main(shlex.split(again)[1:]) == 0
    assert service.requests[1].path == "/jobs?status=failed&limit=5&cursor=more&owner=auth0%7Cann"


def test_a_job_that_was_deleted_by_a_try_without_an_answer_is_said_to_be_deleted(
    capsys: Capture, service: Service
) -> None:
    gone = [Answer(503), problem(404, "job_not_found", "There is no such job.")]
    service.script(f"/jobs/{JOB_ID}", *gone, *gone)
    assert main(["delete", JOB_ID]) == main(["delete", JOB_ID, "--json"]) == 0
    assert capsys.readouterr().out == f'{JOB_ID} deleted\n{{"job_id": "{JOB_ID}"}}\n'


@pytest.mark.parametrize(
    "argv", [["status", JOB_ID], ["cancel", JOB_ID], ["revoke", JOB_ID], ["list"], ["submit", "a"]]
)
def test_json_is_the_answer_itself(argv: list[str], capsys: Capture) -> None:
    assert main([*argv, "--json"]) == 0
    out, err = capsys.readouterr()
    assert isinstance(json.loads(out), dict)
    assert (out.count("\n"), err) == (1, "")


def test_an_error_is_one_line(service: Service, capsys: Capture) -> None:
    service.script(f"/jobs/{JOB_ID}/status", problem(404, "job_not_found", "There is no such job."))
    assert main(["status", JOB_ID]) == 1
    assert capsys.readouterr() == ("", "graphjobs: There is no such job. (404 job_not_found)\n")


@pytest.mark.parametrize("no_stream_url", [True, False])
def test_a_stream_that_never_began_is_one_line_too(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture, no_stream_url: bool
) -> None:
    if no_stream_url:
        monkeypatch.delenv("GRAPHJOBS_STREAM_URL")
    assert main(["stream", "job-of-another"]) == 1
    assert capsys.readouterr() == ("", "graphjobs: There is no such job. (404 job_not_found)\n")


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        ([], "required"),
        (["submit"], "usage: graphjobs submit"),
        (["submit"], "give a question, --input, --resume, --update, --goto or --thread"),
        (["submit", " \n"], "more than spaces"),
        (["submit", "--input", "[1]"], "not a JSON object"),
        (["submit", "--input", "{"], "not JSON"),
        (["submit", "a", "--context", "[1]"], "not a JSON object"),
        (["answer", JOB_ID], "VALUE"),
        (["submit", "a", "--timeout-seconds", "0"], "1 or more"),
        (["stream", JOB_ID, "--after", "-1"], "--after"),
        (["stream", JOB_ID, "--after", "x"], "0 or more"),
        (["stream", JOB_ID, "--max-events", "0"], "1 or more"),
        (["status", JOB_ID, "--token", "t", "--user", "u"], "not allowed with"),
        (["nonsense"], "invalid choice"),
    ],
)
def test_wrong_usage_is_exit_code_2(argv: list[str], text: str, service: Service, capsys: Capture) -> None:
    assert main(argv) == 2
    assert text in capsys.readouterr().err
    assert service.requests == []


def test_help_is_exit_code_0_and_fits_80_columns(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert "GRAPHJOBS_API_URL" in out
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("verb", "text"), [("stream", "default: 0"), ("token", "default: 3600"), ("token", "user-123")]
)
def test_help_of_a_command_shows_the_defaults(capsys: Capture, verb: str, text: str) -> None:
    assert main([verb, "--help"]) == 0
    assert text in capsys.readouterr().out


def test_the_version_is_the_packages(capsys: Capture) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"graphjobs {version('graphjobs')}\n"


@pytest.mark.parametrize(
    ("called", "path", "shown"),
    [
        ("/somewhere/pytest", "", "graphjobs"),
        ("{here}/bin/graphjobs", "", "bin/graphjobs"),
        ("{here}/bin/graphjobs", "{here}/bin", "graphjobs"),
        ("/elsewhere/a b/graphjobs", "{here}/bin", "'/elsewhere/a b/graphjobs'"),
    ],
)
def test_hints_name_the_command_so_that_a_shell_finds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, called: str, path: str, shown: str
) -> None:
    command = tmp_path / "bin" / "graphjobs"
    command.parent.mkdir()
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", path.format(here=tmp_path))
    monkeypatch.setattr(sys, "argv", [called.format(here=tmp_path)])
    assert main(["submit", "환불?"]) == 0
    assert capsys.readouterr().err == f"Follow it with: {shown} stream {JOB_ID}\n"


def test_a_connection_that_breaks_is_spoken_of(
    service: Service, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graphjobs.client.retry.random.random", lambda: 0.0)
    service.script(STREAM, stream_answer(wire(LOG[:3]), cut=True), stream_answer(b"", cut=True))
    assert main(["stream", JOB_ID]) == 0
    out, err = capsys.readouterr()
    assert out == "환불은 14일 \n이내에 가능합니다.\n[completed]\n"
    lines = [line for line in err.splitlines() if line.startswith(f"No answer from {service.url}: ")]
    assert [line.rpartition("; ")[2] for line in lines] == ["reconnecting (1)", "reconnecting (2)"]
