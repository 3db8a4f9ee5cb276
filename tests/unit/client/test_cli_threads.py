"""The command line and threads: their state and their history."""

import json

import pytest

from graphjobs.cli.main import main
from tests.unit.client.service import Answer, Service, answer_json, problem

Capture = pytest.CaptureFixture[str]

pytestmark = pytest.mark.usefixtures("configured")


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


def test_a_thread_is_shown_with_the_subgraphs_that_it_is_in(service: Service, capsys: Capture) -> None:
    inner = {"values": {"n": 2}, "tasks": []}
    outer = {"values": {"n": 1}, "tasks": [{"name": "inner", "state": inner}]}
    tasks = [{"name": "outer", "state": outer}, {"name": "plain", "state": None}]
    service.script(f"/threads/{THREAD}/state", answer_json(told_state(3, tasks=tasks)))
    assert main(["thread", THREAD, "--subgraphs"]) == 0
    assert service.requests[0].path == f"/threads/{THREAD}/state?subgraphs=true"
    assert capsys.readouterr().out.splitlines()[-4:] == ["within outer:", "  n: 1", "within outer/inner:", "  n: 2"]


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


CHECKPOINT = {"thread_id": THREAD, "checkpoint_ns": "", "checkpoint_id": "c4"}
UPDATED = {"checkpoint": CHECKPOINT, "configurable": CHECKPOINT, "checkpoint_id": "c4"}


def test_an_update_tells_the_checkpoint_that_it_made(service: Service, capsys: Capture) -> None:
    path = f"/threads/{THREAD}/state"
    service.script(path, answer_json(UPDATED), answer_json(UPDATED))
    assert main(["update", THREAD, '{"said": ["two"]}', "--as-node", "ask", "--checkpoint", "c1"]) == 0
    assert capsys.readouterr() == ("c4\n", "")
    assert main(["update", THREAD, "null", "--as-node", "ask", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == UPDATED
    assert [(each.method, each.path, each.json) for each in service.requests] == [
        ("POST", path, {"values": {"said": ["two"]}, "as_node": "ask", "checkpoint_id": "c1"}),
        ("POST", path, {"as_node": "ask"}),
    ]


def test_an_update_that_takes_longer_names_its_job(service: Service, capsys: Capture) -> None:
    service.script(f"/threads/{THREAD}/state", answer_json({"job_id": "job-1", "status": "queued"}, 202))
    assert main(["update", THREAD, '[{"n": 1}, {"n": 2}]']) == 0
    assert capsys.readouterr() == (
        "job-1 queued\n",
        "The update is not made yet. Follow it with: graphjobs stream job-1\n",
    )


def test_an_update_of_a_busy_thread_is_one_line(service: Service, capsys: Capture) -> None:
    service.script(f"/threads/{THREAD}/state", problem(409, "thread_busy", "A job of the thread has not ended."))
    assert main(["update", THREAD, "{}"]) == 1
    assert capsys.readouterr() == ("", "graphjobs: A job of the thread has not ended. (409 thread_busy)\n")
    assert len(service.requests) == 1


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["update", THREAD], "VALUES"),
        (["update", THREAD, "{"], "not JSON"),
        (["update", THREAD, "1"], "not a JSON object, a list of objects or null"),
        (["update", THREAD, "[1]"], "not a JSON object, a list of objects or null"),
        (["update", THREAD, "null"], "give --as-node with null"),
        (["delete-thread"], "THREAD_ID"),
        (["submit", "a", "--multitask-strategy", "drop"], "invalid choice"),
        (["submit", "a", "--after-seconds", "-1"], "--after-seconds"),
    ],
)
def test_wrong_usage_sends_nothing(argv: list[str], text: str, service: Service, capsys: Capture) -> None:
    assert main(argv) == 2
    assert text in capsys.readouterr().err
    assert service.requests == []


def test_a_deleted_thread_is_said_to_be(service: Service, capsys: Capture) -> None:
    service.script(f"/threads/{THREAD}", Answer(204, b""), Answer(204, b""))
    assert main(["delete-thread", THREAD]) == 0
    assert capsys.readouterr() == (f"{THREAD} deleted\n", "")
    assert main(["delete-thread", THREAD, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"thread_id": THREAD}
    assert [(each.method, each.path) for each in service.requests] == [("DELETE", f"/threads/{THREAD}")] * 2


def test_a_submission_says_where_it_begins_and_where_it_stops(service: Service) -> None:
    where = ["--thread", THREAD, "--checkpoint", "c1", "--multitask-strategy", "rollback", "--after-seconds", "0"]
    stops = ["--interrupt-before", "ask", "--interrupt-before", "tell", "--interrupt-after", "*"]
    assert main(["submit", *where, *stops]) == 0
    assert service.requests[0].json == {
        "thread_id": THREAD,
        "checkpoint_id": "c1",
        "multitask_strategy": "rollback",
        "after_seconds": 0,
        "interrupt_before": ["ask", "tell"],
        "interrupt_after": "*",
    }
