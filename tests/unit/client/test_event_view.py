"""What a person sees of the events that the plain chat job does not have."""

from collections.abc import Iterable

import pytest

from graphjobs.cli.event_view import Readable
from graphjobs.client.answers import Event
from tests.unit.client.log import event

Capture = pytest.CaptureFixture[str]


def shown(events: Iterable[Event], capsys: Capture) -> tuple[str, str]:
    view = Readable()
    for item in events:
        view.show(item)
    view.leave()
    out, err = capsys.readouterr()
    return out, err


def token(seq: int, text: str, message_id: str = "m1") -> Event:
    return event(seq, "token", text=text, node="model", message_id=message_id)


def test_text_that_a_crash_made_void_is_named_and_the_rest_shown_again(capsys: Capture) -> None:
    crash = event(5, "attempt", attempt=2, reason="lease_expired", discard_after=3)
    out, _ = shown([token(2, "환불은 "), token(3, "14일 "), token(4, "7일 "), crash, token(6, "이내")], capsys)
    assert out.splitlines() == [
        "환불은 14일 7일 ",
        '--- attempt 2 (lease_expired): events 4 to 4 are void, the text "7일" too ---',
        "환불은 14일 이내",
    ]


def test_a_second_crash_counts_only_the_text_that_still_held(capsys: Capture) -> None:
    crashes = [event(at, "attempt", attempt=at, reason="r", discard_after=1) for at in (3, 5)]
    out, _ = shown([token(2, "a"), crashes[0], token(4, "b"), crashes[1], token(6, "c")], capsys)
    assert out.splitlines() == [
        "a",
        '--- attempt 3 (r): events 2 to 2 are void, the text "a" too ---',
        "b",
        '--- attempt 5 (r): events 2 to 4 are void, the text "b" too ---',
        "c",
    ]


def test_void_events_without_text(capsys: Capture) -> None:
    out, _ = shown([event(4, "attempt", attempt=2, reason="r", discard_after=1)], capsys)
    assert out == "--- attempt 2 (r): events 2 to 3 are void ---\n"


@pytest.mark.parametrize("kept", [2, None])
def test_after_a_hand_off_nothing_is_void(capsys: Capture, kept: int | None) -> None:
    handoff = event(3, "attempt", attempt=1, reason="handoff", discard_after=kept)
    out, err = shown([token(2, "a"), handoff, token(4, "b")], capsys)
    assert out == "a\nb\n"
    assert err == "attempt 1 (handoff): another worker carries on, nothing is void\n"


@pytest.mark.parametrize(
    ("data", "line"),
    [
        ({"step": 2, "total": 6, "message": "검색"}, "[2/6] 검색"),
        ({"percent": 40, "message": "half"}, "[40%] half"),
        ({"message": "working"}, "[...] working"),
        ({"step": 1, "total": 2}, "[1/2]"),
    ],
)
def test_progress(capsys: Capture, data: dict[str, object], line: str) -> None:
    assert shown([token(1, "a"), event(2, "progress", **data)], capsys) == (f"a\n{line}\n", "")


def test_other_events_are_one_short_line_on_stderr(capsys: Capture) -> None:
    out, err = shown([event(1, "update", node="n", output="줄\n" * 100)], capsys)
    assert out == ""
    assert err.startswith('update {"node": "n"')
    assert err.endswith("…\n")
    assert err.count("\n") == 1


def test_an_update_of_messages_alone_says_nothing_that_they_have_not(capsys: Capture) -> None:
    messages = [{"type": "ai", "content": "hello", "id": "m1"}]
    events = [token(1, "hello"), event(2, "update", node="n", output={"messages": messages})]
    assert shown(events, capsys) == ("hello\n", "")
    assert shown([event(2, "update", node="n", output={"messages": messages, "n": 1})], capsys)[1].startswith("update ")


def test_each_message_has_its_own_line(capsys: Capture) -> None:
    assert shown([token(1, "a"), token(2, "b", "m2"), token(3, "c", "m2")], capsys)[0] == "a\nbc\n"


def test_the_result_is_shown_when_no_text_was(capsys: Capture) -> None:
    out, _ = shown([event(2, "done", status="completed", result={"n": "환"})], capsys)
    assert out == "n: 환\n[completed]\n"


def test_half_a_result_is_not_shown_of_a_job_that_asks(capsys: Capture) -> None:
    assert shown([event(2, "done", status="interrupted", result={"n": 1})], capsys)[0] == "[interrupted]\n"


def test_a_models_text_cannot_steer_the_terminal(capsys: Capture) -> None:
    out, err = shown([token(1, "a\x1b[2Jb\r\tc\n"), event(2, "note", text="\x1b]0;x\x07\x9b1m")], capsys)
    assert out == "a\ufffd[2Jb\ufffd\tc\n"
    assert not set(err) & {"\x1b", "\x07", "\x9b"}


def test_reasoning_is_told_apart_from_the_answer(capsys: Capture) -> None:
    thought = [
        event(seq, "reasoning", text=text, node="n", message_id="m1") for seq, text in ((1, "hm, "), (2, "well"))
    ]
    out, err = shown([*thought, token(3, "Yes"), token(4, ".")], capsys)
    assert (out, err) == ("Yes.\n", "hm, well\n")


def test_calls_of_tools_and_their_answers(capsys: Capture) -> None:
    pieces = [
        event(1, "tool_call", message_id="m1", index=0, id="c1", name="search", args=""),
        event(2, "tool_call", message_id="m1", index=0, id=None, name=None, args='{"q": 1}'),
    ]
    call = event(
        3, "message", message_id="m1", role="ai", content="", tool_calls=[{"name": "search", "args": {"q": 1}}]
    )
    answer = event(4, "message", message_id="m2", role="tool", name="search", content="14 days", tool_call_id="c1")
    out, err = shown([*pieces, call, answer], capsys)
    assert out == ""
    assert err.splitlines() == ["calls search ...", 'search {"q": 1}', 'search answers "14 days"']


@pytest.mark.parametrize("content", ["Hello.", [{"type": "text", "text": "Hel"}, {"type": "image"}, "lo."]])
def test_a_message_is_shown_if_its_pieces_were_not(capsys: Capture, content: object) -> None:
    message = event(2, "message", message_id="m1", role="assistant", content=content)
    assert shown([message], capsys) == ("", "assistant: Hello.\n")
    assert shown([token(1, "Hello."), message], capsys) == ("Hello.\n", "")


def test_a_retry_voids_what_its_task_wrote_and_nothing_of_others(capsys: Capture) -> None:
    def told(seq: int, text: str, task: str) -> Event:
        return event(seq, "token", text=text, node="n", task=task, message_id="m")

    texts = [told(2, "a", "t1"), told(3, "b", "t2"), told(4, "c", "t1/t9"), told(5, "d", "t11"), told(6, "e", "t2")]
    again = event(7, "retry", node="n", task="t1", attempt=2, discard_after=2)
    out, _ = shown([*texts, again, told(8, "C", "t1")], capsys)
    assert out.splitlines() == [
        "abcde",
        '--- n is tried again (2): its events after 2 are void, the text "c" too ---',
        "abdeC",
    ]


def test_what_the_graph_asks_is_on_stdout(capsys: Capture) -> None:
    asked = event(2, "interrupt", id="i", node="approve", value={"text": "Send\nit?", "to": ["a", "b"]})
    assert shown([asked], capsys)[0] == "approve asks:\n  text:\n    Send\n    it?\n  to:\n    - a\n    - b\n"


def test_an_error_has_its_class_and_its_node(capsys: Capture) -> None:
    error = event(2, "error", code="graph_error", message="The graph failed.", type="ValueError", where="model")
    assert shown([error], capsys)[1] == "error graph_error: The graph failed. (ValueError in model)\n"


def test_a_type_of_a_later_release_is_one_short_line(capsys: Capture) -> None:
    assert shown([event(2, "leave", a=1), event(3, "_line", a=1)], capsys)[1] == 'leave {"a": 1}\n_line {"a": 1}\n'
