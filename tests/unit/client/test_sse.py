"""The SSE parser, by a table of exact bytes and by the one law of chunks."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphjobs.client.sse import EventParser, Message


def parsed(*chunks: bytes) -> list[Message]:
    parser = EventParser()
    return [message for chunk in chunks for message in parser.feed(chunk)]


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        pytest.param(b"data: a\n\n", [("message", "a", "")], id="lf"),
        pytest.param(b"data: a\r\n\r\n", [("message", "a", "")], id="crlf"),
        pytest.param(b"data: a\r\r", [("message", "a", "")], id="cr"),
        pytest.param(b"data: a\r\n\rdata: b\n\r", [("message", "a", ""), ("message", "b", "")], id="mixed"),
        pytest.param(b"\xef\xbb\xbfdata: a\n\n", [("message", "a", "")], id="byte order mark"),
        pytest.param(b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n", [], id="only one byte order mark is dropped"),
        pytest.param(b"\n\xef\xbb\xbfdata: a\n\n", [], id="byte order mark not at the start"),
        pytest.param(b"data: a\ndata: b\ndata\n\n", [("message", "a\nb\n", "")], id="data of several lines"),
        pytest.param(b"data\n\n", [("message", "", "")], id="data without colon"),
        pytest.param(b"data:\n\n", [("message", "", "")], id="empty data"),
        pytest.param(b"data:  a:b \n\n", [("message", " a:b ", "")], id="one space goes, colons stay"),
        pytest.param(b": heartbeat\n\n:\n\n", [], id="comments"),
        pytest.param(b"data: a\n: c\ndata: b\n\n", [("message", "a\nb", "")], id="comment inside"),
        pytest.param(b"event: x\ndata: a\n\ndata: b\n\n", [("x", "a", ""), ("message", "b", "")], id="type"),
        pytest.param(b"event: x\n\ndata: a\n\n", [("message", "a", "")], id="type without data is forgotten"),
        pytest.param(b"event: x\nevent:\ndata: a\n\n", [("message", "a", "")], id="empty type"),
        pytest.param(b"id: 1\ndata: a\n\n", [("message", "a", "1")], id="id"),
        pytest.param(b"id: 1\n\ndata: a\n\ndata\n\n", [("message", "a", "1"), ("message", "", "1")], id="id stays"),
        pytest.param(b"id: 1\n\ndata: a\n\n", [("message", "a", "1")], id="id without data counts"),
        pytest.param(b"id: 1\nid: 2\x00\ndata: a\n\n", [("message", "a", "1")], id="id with NULL is ignored"),
        pytest.param(b"id: 1\nid\ndata: a\n\n", [("message", "a", "")], id="empty id resets"),
        pytest.param(b"Data: a\ndatas: b\n data: c\n\n", [], id="unknown fields"),
        pytest.param(b"data: a\n\ndata: b\n", [("message", "a", "")], id="no blank line at the end"),
        pytest.param(b"data: a\n\ndata: b", [("message", "a", "")], id="half a line at the end"),
        pytest.param("data: 환\u2028\x85\n\n".encode(), [("message", "환\u2028\x85", "")], id="other breaks"),
        pytest.param(b"data: \xec\x99\n\n", [("message", "\ufffd", "")], id="cut character"),
        pytest.param(b"", [], id="nothing"),
    ],
)
def test_bytes(stream: bytes, expected: list[tuple[str, str, str]]) -> None:
    assert parsed(stream) == expected
    assert parsed(*(bytes([byte]) for byte in stream)) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *((b"3000", 3000), (b"0", 0), (b"007", 7), (b"1.5", 1), (b"-1", 1), (b"", 1), (b"1s", 1), (b" 5", 1)),
        *((b"9" * 5000, 1), ("٣".encode(), 1)),
    ],
)
def test_retry_takes_digits_only(value: bytes, expected: int) -> None:
    parser = EventParser()
    parser.feed(b"retry: 1\nretry: " + value + b"\n")
    assert parser.retry_ms == expected


def test_there_is_no_retry_before_the_server_sends_one() -> None:
    assert EventParser().retry_ms is None


def test_the_id_counts_from_the_blank_line_on() -> None:
    parser = EventParser()
    parser.feed(b"id: 7\ndata: a\n")
    assert parser.last_event_id == ""
    parser.feed(b"\n")
    assert parser.last_event_id == "7"


def test_an_event_ending_in_cr_is_given_before_the_next_byte() -> None:
    parser = EventParser()
    assert parser.feed(b"data: a\r\n\r") == [("message", "a", "")]
    assert parser.feed(b"\ndata: b\n\n") == [("message", "b", "")]


pieces = st.sampled_from(
    [
        *(b"\r", b"\n", b"\r\n", b":", b" ", b"\0", b"x", b"\xff", b"\xef\xbb\xbf", "환".encode()),
        *(b"data", b"data: ", b"id: 1", b"id:", b"event: t", b"retry: 5"),
    ]
)


@given(st.lists(pieces, max_size=30).map(b"".join), st.lists(st.integers(0, 120), max_size=12))
def test_chunks_change_nothing(stream: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    chunks = [stream[start:end] for start, end in pairwise(edges)]
    assert parsed(*chunks) == parsed(stream) == by_the_standard(stream)


def by_the_standard(stream: bytes) -> list[Message]:
    """The whole stream at once, as the standard words it: slow, plain and written apart from the parser."""
    text = stream.decode("utf-8", "replace")
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")[:-1]
    messages, data, kind, last_id = [], "", "", ""
    for line in lines:
        if line == "":
            if data:
                messages.append(Message(kind or "message", data[:-1], last_id))
            data, kind = "", ""
        elif not line.startswith(":"):
            name, colon, rest = line.partition(":")
            value = rest[1:] if colon and rest.startswith(" ") else rest
            if name == "data":
                data += value + "\n"
            elif name == "event":
                kind = value
            elif name == "id" and "\0" not in value:
                last_id = value
    return messages
