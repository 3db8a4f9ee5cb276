"""Following a log over connections that break: nothing is lost, repeated or passed over in silence."""

from collections.abc import AsyncIterator, Callable, Iterator

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphjobs.client.answers import Event
from graphjobs.client.client import Client
from graphjobs.client.errors import ApiError, ContractViolation, SequenceError, ServiceUnreachable
from graphjobs.client.retry import RetryPolicy
from tests.unit.client.awaited import awaited
from tests.unit.client.conftest import TOKENS
from tests.unit.client.log import JOB_ID, chat_log, event, wire
from tests.unit.client.service import Answer, Service, answer_json, problem, stream_answer

LOG = chat_log(TOKENS)
STREAM = f"/stream/{JOB_ID}"
Clients = Callable[..., Client]


def cursors(service: Service) -> list[str | None]:
    return [seen.headers.get("last-event-id") for seen in service.requests_for(STREAM)]


def test_a_whole_log_arrives_over_one_connection(client_of: Clients, service: Service) -> None:
    assert list(client_of().stream(JOB_ID)) == LOG
    assert cursors(service) == [None]
    assert service.requests[0].headers["accept"] == "text/event-stream"


def test_a_cursor_goes_out_as_last_event_id(client_of: Clients, service: Service) -> None:
    assert list(client_of().stream(JOB_ID, after=3)) == LOG[3:]
    assert cursors(service) == ["3"]


def test_nothing_follows_a_terminal_event_that_was_seen(client_of: Clients) -> None:
    assert list(client_of().stream(JOB_ID, after=len(LOG))) == []


def test_a_window_that_ends_is_followed_by_the_next(client_of: Clients, service: Service, waits: list[float]) -> None:
    service.script(STREAM, stream_answer(wire(LOG[:2]), retry_ms=1500), stream_answer(b"", retry_ms=250))
    assert list(client_of().stream(JOB_ID)) == LOG
    assert cursors(service) == [None, "2", "2"]
    assert waits == [1.5, 0.25]


def test_windows_without_an_event_are_no_failures(client_of: Clients, service: Service) -> None:
    service.script(STREAM, *[stream_answer(b": heartbeat\n")] * 9)
    assert list(client_of().stream(JOB_ID)) == LOG


@pytest.mark.parametrize("at", range(0, len(wire(LOG[:3])), 7))
def test_a_cut_at_any_byte_loses_nothing(client_of: Clients, service: Service, at: int) -> None:
    service.script(STREAM, stream_answer(wire(LOG)[:at], cut=True))
    assert list(client_of().stream(JOB_ID)) == LOG


def test_progress_clears_the_failures(client_of: Clients, service: Service) -> None:
    one_event_each = [lambda seen, n=n: stream_answer(wire(LOG[n : n + 1]), cut=True) for n in range(5)]
    service.script(STREAM, *one_event_each)
    assert list(client_of().stream(JOB_ID)) == LOG
    assert cursors(service) == [None, "1", "2", "3", "4", "5"]


def test_a_503_waits_as_long_as_it_asks(client_of: Clients, service: Service, waits: list[float]) -> None:
    unavailable = problem(503, "temporarily_unavailable", "Try again.", Retry_After="3")
    service.script(STREAM, unavailable, unavailable)
    assert list(client_of().stream(JOB_ID)) == LOG
    assert waits == [3.0, 3.0]


def test_failures_in_a_row_are_bounded(client_of: Clients, service: Service, waits: list[float]) -> None:
    service.script(STREAM, *[problem(503, "temporarily_unavailable", "Try again.")] * 9)
    with pytest.raises(ApiError, match=r"Try again\. \(503 temporarily_unavailable\)"):
        list(client_of().stream(JOB_ID))
    assert len(waits) == 3


def test_a_200_without_a_byte_is_a_failure(client_of: Clients, service: Service) -> None:
    service.script(STREAM, *[Answer(200, b"", {"Content-Type": "text/event-stream"})] * 9)
    with pytest.raises(ServiceUnreachable, match="without a byte"):
        list(client_of().stream(JOB_ID))


@pytest.mark.parametrize(("status", "code"), [(400, "cursor_too_high"), (401, "unauthorized"), (404, "job_not_found")])
def test_a_refusal_is_not_repeated(client_of: Clients, service: Service, status: int, code: str) -> None:
    service.script(STREAM, problem(status, code, "No."))
    with pytest.raises(ApiError) as refused:
        list(client_of().stream(JOB_ID))
    assert (refused.value.status, refused.value.code, refused.value.detail) == (status, code, "No.")
    assert len(service.requests) == 1


@pytest.mark.parametrize(("received", "seq", "text"), [([LOG[0], LOG[2]], 3, "gap"), ([LOG[0], LOG[0]], 1, "repeats")])
def test_a_gap_or_a_repeat_is_an_error(
    client_of: Clients, service: Service, received: list[Event], seq: int, text: str
) -> None:
    service.script(STREAM, stream_answer(wire(received)))
    events = client_of().stream(JOB_ID)
    assert next(events) == LOG[0]
    with pytest.raises(SequenceError, match=text) as wrong:
        next(events)
    assert (wrong.value.expected, wrong.value.received) == (2, seq)


@pytest.mark.parametrize(
    "body",
    [
        b"id: 1\nevent: metadata\ndata: not json\n\n",
        b"id: 1\nevent: metadata\ndata: [1]\n\n",
        b'id: 1\nevent: metadata\ndata: {"seq": true, "type": "metadata", "data": {}}\n\n',
        b'id: 1\nevent: metadata\ndata: {"seq": 1, "type": "metadata", "data": 5}\n\n',
        b'id: 2\nevent: metadata\ndata: {"seq": 1, "type": "metadata", "data": {}}\n\n',
        b'id: 1\nevent: token\ndata: {"seq": 1, "type": "metadata", "data": {}}\n\n',
    ],
)
def test_what_is_no_event_is_an_error(client_of: Clients, service: Service, body: bytes) -> None:
    service.script(STREAM, stream_answer(body))
    with pytest.raises(ContractViolation):
        list(client_of().stream(JOB_ID))


def test_what_is_no_event_stream_is_an_error(client_of: Clients, service: Service) -> None:
    service.script(STREAM, answer_json({}))
    with pytest.raises(ContractViolation, match="not an event stream"):
        list(client_of().stream(JOB_ID))


def test_without_a_stream_address_the_ticket_names_it_and_is_not_sent(client_of: Clients, service: Service) -> None:
    assert list(client_of(stream_url=None).stream(JOB_ID)) == LOG
    assert [seen.path for seen in service.requests] == [f"/jobs/{JOB_ID}/stream-ticket", f"/edge{STREAM}"]


def test_a_stream_asks_for_a_fresh_token_at_a_401(client_of: Clients, service: Service) -> None:
    tokens = iter(["stale", "good"])
    assert list(client_of(token=lambda: next(tokens)).stream(JOB_ID)) == LOG


def test_a_negative_cursor_is_refused(client_of: Clients) -> None:
    with pytest.raises(ValueError, match="0 or more"):
        next(client_of().stream(JOB_ID, after=-1))


class CutBody(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that arrives in chunks and then ends, or breaks."""

    def __init__(self, body: bytes, chunk: int, breaks: bool) -> None:
        self.body, self.chunk, self.breaks = body, chunk, breaks
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self.body), self.chunk):
            yield self.body[start : start + self.chunk]
        if self.breaks:
            raise httpx.ReadError("connection reset")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self:
            yield chunk

    def close(self) -> None:
        self.closed = True

    async def aclose(self) -> None:
        self.closed = True


LONG_LOG = [
    event(1, "metadata", graph="g"),
    *(event(seq, "token", text="환불" * (seq % 4)) for seq in range(2, 12)),
    event(12, "done", status="completed", result=None),
]

connections = st.lists(st.tuples(st.integers(0, 400), st.integers(1, 90), st.booleans()), max_size=12)


@pytest.mark.parametrize("made", [Client, awaited])
@given(cuts=connections, after=st.integers(0, len(LONG_LOG)))
def test_whatever_the_cuts_what_arrives_is_the_log(
    made: Callable[..., Client], cuts: list[tuple[int, int, bool]], after: int
) -> None:
    script = iter(cuts)
    bodies: list[CutBody] = []

    def answer(request: httpx.Request) -> httpx.Response:
        assert all(body.closed for body in bodies)
        cursor = int(request.headers.get("Last-Event-ID", "0"))
        if cursor == len(LONG_LOG):
            return httpx.Response(204)
        everything = b"retry: 0\n" + wire(LONG_LOG[cursor:])
        size, chunk, breaks = next(script, (len(everything), 4096, False))
        bodies.append(CutBody(everything[: max(size, 1)], chunk, breaks))
        return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, stream=bodies[-1])

    options = {"stream_url": "http://stream", "transport": httpx.MockTransport(answer)}
    patient = RetryPolicy(max_failures=99)
    with made("http://api", "t", **options, stream_retries=patient, sleep=lambda seconds: None) as client:
        assert list(client.stream(JOB_ID, after)) == LONG_LOG[after:]


@pytest.mark.parametrize("made", [Client, awaited])
def test_closing_the_generator_closes_the_connection(made: Callable[..., Client]) -> None:
    body = CutBody(wire(LONG_LOG), 50, False)
    headers = {"Content-Type": "text/event-stream"}
    transport = httpx.MockTransport(lambda request: httpx.Response(200, headers=headers, stream=body))
    options = {"stream_url": "http://stream", "transport": transport}
    with made("http://api", "t", **options, sleep=lambda seconds: None) as client:
        events = client.stream(JOB_ID)
        assert next(events) == LONG_LOG[0]
        assert not body.closed
        events.close()
        assert body.closed
