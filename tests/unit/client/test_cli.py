"""The command line as a person or a script sees it: what is printed where, and the exit code."""

import json
import os
import signal
import subprocess
import sys
import threading
from importlib.metadata import version
from pathlib import Path

import pytest

from graphjobs.cli.main import main
from graphjobs.local.issuer import ensure_key
from tests.unit.client.conftest import TOKENS
from tests.unit.client.log import JOB_ID, chat_log, event, wire
from tests.unit.client.service import Answer, Seen, Service, answer_json, problem, stream_answer

LOG = chat_log(TOKENS)
STREAM = f"/stream/{JOB_ID}"
Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def configured(service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The environment names `service`, and the working folder has no local instance."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GRAPHJOBS_STATE_DIR", raising=False)
    monkeypatch.setenv("GRAPHJOBS_API_URL", service.url)
    monkeypatch.setenv("GRAPHJOBS_STREAM_URL", service.url)
    monkeypatch.setenv("GRAPHJOBS_TOKEN", service.token)


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


ASKING = {
    "job_id": JOB_ID,
    "graph": "chat",
    "status": "interrupted",
    "thread_id": "t-1",
    "interrupts": [{"id": "i-1", "value": {"question": "Refund?", "amount": 3}}],
}


def test_status_of_a_job_that_asks_says_how_to_answer(service: Service, capsys: Capture) -> None:
    service.script(f"/jobs/{JOB_ID}/status", answer_json(ASKING))
    assert main(["status", JOB_ID]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[-3:] == ["asks i-1:", "  question: Refund?", "  amount: 3"]
    assert err == f"Answer with: graphjobs answer {JOB_ID} ANSWER --stream\n"


def test_status_of_a_job_that_was_only_stopped_says_how_to_go_on(service: Service, capsys: Capture) -> None:
    service.script(f"/jobs/{JOB_ID}/status", answer_json({**ASKING, "interrupts": []}))
    assert main(["status", JOB_ID]) == 0
    assert capsys.readouterr().err == "Nothing was asked. Go on with: graphjobs submit --thread t-1 --stream\n"


def test_a_followed_job_that_asks_is_exit_code_3_and_says_how_to_answer(service: Service, capsys: Capture) -> None:
    service.log[1:] = [
        event(2, "interrupt", id="i-1", value="Refund?", node="approve"),
        event(3, "done", status="interrupted", result=None, interrupts=[{"id": "i-1", "value": "Refund?"}]),
    ]
    assert main(["stream", JOB_ID]) == 3
    out, err = capsys.readouterr()
    assert out == "approve asks:\n  Refund?\n[interrupted]\n"
    assert err.endswith(f"Answer with: graphjobs answer {JOB_ID} ANSWER --stream\n")


@pytest.mark.parametrize(
    ("answer", "value"), [("true", True), ('{"a": 1}', {"a": 1}), ("null", None), ("yes, do", "yes, do")]
)
def test_an_answer_is_json_or_else_a_text(service: Service, answer: str, value: object) -> None:
    assert main(["submit", "--thread", "t-1", "--resume", answer]) == 0
    assert service.requests[0].json == {"thread_id": "t-1", "command": {"resume": value}}


def test_an_answer_is_given_to_the_question_of_its_job(service: Service, capsys: Capture) -> None:
    service.script(f"/jobs/{JOB_ID}/status", answer_json(ASKING))
    options = ["--context", '{"tone": "kind"}', "--config", '{"recursion_limit": 9}']
    assert main(["answer", JOB_ID, "yes", *options, "--idempotency-key", "k"]) == 0
    out, err = capsys.readouterr()
    assert out == f"{JOB_ID} queued\n"
    assert err == f"Follow it with: graphjobs stream {JOB_ID}\n"
    sent = service.requests[-1]
    assert sent.headers["idempotency-key"] == "k"
    assert sent.json == {
        "graph": "chat",
        "thread_id": "t-1",
        "command": {"resume": {"i-1": "yes"}},
        "context": {"tone": "kind"},
        "config": {"recursion_limit": 9},
    }


def test_an_answer_with_stream_follows_the_job_that_goes_on(service: Service, capsys: Capture) -> None:
    service.script(f"/jobs/{JOB_ID}/status", answer_json(ASKING))
    assert main(["answer", JOB_ID, '{"type": "approve"}', "--stream"]) == 0
    assert service.requests[1].json["command"] == {"resume": {"i-1": {"type": "approve"}}}
    assert capsys.readouterr().out == "환불은 14일 이내에 가능합니다.\n[completed]\n"


TWO = [{"id": f"{number:032x}", "value": f"question {number}"} for number in (1, 2)]


def test_several_questions_are_named_with_the_command_that_answers_them(service: Service, capsys: Capture) -> None:
    service.script(f"/jobs/{JOB_ID}/status", answer_json({**ASKING, "interrupts": TWO}))
    assert main(["status", JOB_ID]) == 0
    one, two = (each["id"] for each in TWO)
    assert capsys.readouterr().err.splitlines() == [
        f'{one} asks "question 1"',
        f'{two} asks "question 2"',
        f"Answer one with: graphjobs answer {JOB_ID} ANSWER --interrupt {one} --stream",
        f"""Answer all with: graphjobs answer {JOB_ID} '{{"{one}": ANSWER, "{two}": ANSWER}}' --stream""",
    ]


def test_an_approval_is_suggested_in_the_form_that_is_asked_for(service: Service, capsys: Capture) -> None:
    asked = {"action_requests": [{"name": "pay"}, {"name": "mail"}], "review_configs": []}
    service.script(f"/jobs/{JOB_ID}/status", answer_json({**ASKING, "interrupts": [{"id": "i-1", "value": asked}]}))
    assert main(["status", JOB_ID]) == 0
    given = """'{"decisions": [{"type": "approve"}, {"type": "approve"}]}'"""
    assert capsys.readouterr().err == f"Answer with: graphjobs answer {JOB_ID} {given} --stream\n"


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (
            problem(
                409, "no_such_interrupt", "The thread has no such open interrupt: it was answered, or never asked."
            ),
            "The thread has no such open interrupt: it was answered, or never asked. (409 no_such_interrupt)",
        ),
        (
            problem(404, "thread_not_found", "There is no such thread."),
            "There is no such thread. (404 thread_not_found)",
        ),
    ],
)
def test_a_refused_answer_is_one_line(service: Service, capsys: Capture, answer: Answer, line: str) -> None:
    service.script(f"/jobs/{JOB_ID}/status", answer_json(ASKING))
    service.script("/jobs", answer)
    assert main(["answer", JOB_ID, "yes"]) == 1
    assert capsys.readouterr() == ("", f"graphjobs: {line}\n")


def test_a_job_that_asks_nothing_is_not_answered(service: Service, capsys: Capture) -> None:
    assert main(["answer", JOB_ID, "yes"]) == 1
    assert capsys.readouterr() == ("", "graphjobs: The job is completed: it asks nothing.\n")
    assert [seen.method for seen in service.requests] == ["GET"]


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
    assert err == "More with: graphjobs list --cursor more\n"
    assert service.requests[0].path == "/jobs?status=completed&limit=1&cursor=c"


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
        (["submit"], "give a question, --input, --resume or --thread"),
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


def imported(argv: list[str], environ: dict[str, str]) -> set[str]:
    """The names of the packages that a command imports, in an interpreter of its own."""
    script = (
        "import sys; from graphjobs.cli.main import main; code = main(sys.argv[1:])\n"
        "print(code, *{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, *argv], env={**os.environ, **environ}, capture_output=True, text=True, timeout=60
    )
    code, *names = ran.stderr.splitlines()[-1].split()
    assert code == "0", ran.stderr
    return set(names)


def test_a_command_imports_what_it_needs_and_no_more() -> None:
    assert not imported(["--help"], {}) & {"httpx", "click", "rich", "jwt", "starlette", "asyncio"}
    assert "httpx" in (names := imported(["list"], {})) and not names & {"click", "rich", "jwt", "starlette", "boto3"}


def test_a_token_needs_no_web_framework(tmp_path: Path) -> None:
    ensure_key(tmp_path)
    (tmp_path / "local.json").write_text(json.dumps({"issuer": "http://127.0.0.1:1/oidc"}))
    names = imported(["token"], {"GRAPHJOBS_STATE_DIR": str(tmp_path)})
    assert "jwt" in names and not names & {"httpx", "starlette", "boto3", "click"}


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


def command(*argv: str, **environ: str) -> subprocess.Popen[bytes]:
    """The command line in a process of its own."""
    root = Path(__file__).parents[3]
    return subprocess.Popen(
        [sys.executable, "-m", "graphjobs.cli.main", *argv],
        env={**os.environ, "PYTHONPATH": str(root), **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_korean_and_half_a_surrogate_pair_in_the_c_locale(service: Service) -> None:
    service.script(STREAM, stream_answer(wire(LOG[1:]).replace("환불은".encode(), rb"\ud800")))
    argv = ["stream", JOB_ID, "--after", "1"]
    with command(*argv, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0", PYTHONIOENCODING="") as shown:
        out, err = shown.communicate(timeout=30)
    assert (shown.returncode, err) == (0, b"")
    assert out.decode() == "\\ud800 14일 이내에 가능합니다.\n[completed]\n"


def test_a_reader_that_has_gone_is_no_traceback(service: Service) -> None:
    with command("stream", JOB_ID, "--json") as shown:
        assert shown.stdout is not None
        assert shown.stderr is not None
        shown.stdout.close()
        assert shown.wait(timeout=30) == 141
        assert shown.stderr.read() == b""


THREAD = "11111111-2222-4333-8444-555555555555"


def told_state(number: int, **members: object) -> dict[str, object]:
    """A state as the service tells it."""
    return {
        "values": {"said": ["one"]},
        "next": [],
        "tasks": [],
        "metadata": {"source": "loop", "step": number},
        "interrupts": [],
        "checkpoint_id": f"c{number}",
        "parent_checkpoint_id": f"c{number - 1}" if number else None,
        **members,
    }


def test_a_thread_is_shown_with_what_it_asks(service: Service, capsys: Capture) -> None:
    asked = {"id": "a" * 32, "value": {"question": "may I?"}}
    task = {"name": "ask", "error": "ValueError()", "interrupts": [asked]}
    service.script(
        f"/threads/{THREAD}/state", answer_json(told_state(3, next=["ask"], tasks=[task], interrupts=[asked]))
    )
    assert main(["thread", THREAD]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[:3] == ["checkpoint_id  c3", "next           ask", "error          ask: ValueError()"]
    assert f"asks {'a' * 32}:" in out and "may I?" in out and "values:" in out


def test_a_thread_at_a_checkpoint_as_json(service: Service, capsys: Capture) -> None:
    service.script(f"/threads/{THREAD}/state/c1", answer_json(told_state(1)))
    assert main(["thread", THREAD, "--checkpoint", "c1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == told_state(1)


def test_a_thread_on_which_nothing_ran_says_so(service: Service, capsys: Capture) -> None:
    service.script(f"/threads/{THREAD}/state", answer_json(told_state(0, checkpoint_id=None)))
    assert main(["thread", THREAD]) == 0
    assert capsys.readouterr().out == "Nothing has run yet.\n"


def test_a_history_is_a_table_and_says_how_to_go_on(service: Service, capsys: Capture) -> None:
    path = f"/threads/{THREAD}/history"
    service.script(path, answer_json([told_state(2), told_state(1, next=["ask"], interrupts=[{"id": "x"}])]))
    assert main(["history", THREAD, "--limit", "2", "--before", "c3"]) == 0
    out, err = capsys.readouterr()
    assert [line.split() for line in out.splitlines()] == [
        ["checkpoint_id", "step", "source", "next", "asks"],
        ["c2", "2", "loop", "-", "-"],
        ["c1", "1", "loop", "ask", "1"],
    ]
    assert err == f"Older ones: graphjobs history {THREAD} --before c1\n"
    assert service.requests[0].path == f"{path}?limit=2&before=c3"


def test_the_end_of_a_history_leads_nowhere(service: Service, capsys: Capture) -> None:
    for page in ([told_state(0)], []):
        service.script(f"/threads/{THREAD}/history", answer_json(page))
        assert main(["history", THREAD]) == 0
        assert capsys.readouterr().err == ""
