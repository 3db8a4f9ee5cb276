"""The command line and the questions of a job: how they are shown, and answered."""

import pytest

from graphjobs.cli.main import main
from tests.unit.client.log import JOB_ID, event
from tests.unit.client.service import Answer, Service, answer_json, problem

Capture = pytest.CaptureFixture[str]

pytestmark = pytest.mark.usefixtures("configured")


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


BESIDE = ["--update", '{"said": ["one"]}', "--goto", "act", "--goto", "tell"]
LIMITS = ["--durability", "exit", "--after-seconds", "3", "--interrupt-before", "tell", "--interrupt-after", "*"]


def test_beside_an_answer_a_job_is_told_the_same_as_any_other(service: Service) -> None:
    service.script(f"/jobs/{JOB_ID}/status", answer_json(ASKING))
    assert main(["answer", JOB_ID, "null", *BESIDE, *LIMITS]) == 0
    sent = service.requests[-1].json
    assert sent["command"] == {"resume": {"i-1": None}, "update": {"said": ["one"]}, "goto": ["act", "tell"]}
    stops = {"interrupt_before": ["tell"], "interrupt_after": "*"}
    assert {**sent, "durability": "exit", "after_seconds": 3, **stops} == sent


def test_a_submission_can_change_the_state_and_say_where_to_go(service: Service) -> None:
    assert main(["submit", "--thread", "t-1", "--if-not-exists", "create", *BESIDE[:4], *LIMITS]) == 0
    assert service.requests[0].json == {
        "thread_id": "t-1",
        "if_not_exists": "create",
        "command": {"update": {"said": ["one"]}, "goto": "act"},
        "durability": "exit",
        "after_seconds": 3,
        "interrupt_before": ["tell"],
        "interrupt_after": "*",
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
