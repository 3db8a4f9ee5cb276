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


def test_each_message_has_its_own_line(capsys: Capture) -> None:
    assert shown([token(1, "a"), token(2, "b", "m2"), token(3, "c", "m2")], capsys)[0] == "a\nbc\n"


def test_the_result_is_shown_when_no_text_was(capsys: Capture) -> None:
    out, _ = shown([event(2, "done", status="completed", result={"n": "환"})], capsys)
    assert out == '{"n": "환"}\n[completed]\n'


def test_a_models_text_cannot_steer_the_terminal(capsys: Capture) -> None:
    out, err = shown([token(1, "a\x1b[2Jb\r\tc\n"), event(2, "note", text="\x1b]0;x\x07\x9b1m")], capsys)
    assert out == "a\ufffd[2Jb\ufffd\tc\n"
    assert not set(err) & {"\x1b", "\x07", "\x9b"}
