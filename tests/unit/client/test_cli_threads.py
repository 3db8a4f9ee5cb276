"""The command line and threads: their state and their history."""

import json

import pytest

from graphjobs.cli.main import main
from tests.unit.client.service import Service, answer_json

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
