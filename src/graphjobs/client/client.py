"""The client: one method per call of the HTTP contract, and `stream`, which outlives its connections."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import NoneType, TracebackType
from typing import Any, Self, Unpack

import httpx

from graphjobs.client import calls
from graphjobs.client.answering import answering
from graphjobs.client.answers import (
    Accepted,
    Event,
    JobList,
    JobOptions,
    JobStatus,
    JobSummary,
    StateUpdated,
    StreamTicket,
    Thread,
    ThreadState,
    TicketsRevoked,
    Values,
)
from graphjobs.client.authorities import trusted
from graphjobs.client.calls import Call
from graphjobs.client.errors import ApiError, ServiceUnreachable
from graphjobs.client.event_stream import EventStream
from graphjobs.client.exchange import (
    API_TIMEOUT,
    DIRECT,
    STREAM_TIMEOUT,
    Bearer,
    Token,
    built,
    deleted_before,
    json_of,
    refusal,
    transport_errors,
)
from graphjobs.client.retry import API_RETRIES, STREAM_RETRIES, Failures, OnRetry, RetryPolicy


class Client:
    """Calls one graphjobs service on behalf of one user.

    Every call may be repeated without harm (a submission carries an ``Idempotency-Key``), so each is retried
    when the connection fails or the service answers 429 or 5xx. Not for several threads at once.

    Args:
        url: base URL of the HTTP API.
        token: a bearer token, or what gives a fresh one (asked again once after a 401).
        stream_url: base URL of the stream; None takes it from the job's stream ticket.
        on_retry: told of each failure that will be tried again, and how many there have been in a row.
        api_retries, stream_retries: how long, and how often in a row.
        transport: replaces the network, in tests; so does `sleep` the waits.

    Raises:
        ConfigurationError: an address is not an http(s) one.

    Each method raises `ApiError` when the service refuses, `ServiceUnreachable` when there is no answer, and
    `ContractViolation` for an answer that makes no sense.
    """

    def __init__(
        self,
        url: str,
        token: Token,
        *,
        stream_url: str | None = None,
        on_retry: OnRetry | None = None,
        api_retries: RetryPolicy = API_RETRIES,
        stream_retries: RetryPolicy = STREAM_RETRIES,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._url = calls.base_url(url)
        self._stream_url = calls.base_url(stream_url) if stream_url else None
        self._http = httpx.Client(verify=trusted(), transport=transport, mounts=DIRECT, auth=Bearer(token))
        self._on_retry = on_retry
        self._api_retries = api_retries
        self._stream_retries = stream_retries
        self._sleep = sleep

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._http.close()

    def submit(
        self, query: str | None = None, *, idempotency_key: str | None = None, **options: Unpack[JobOptions]
    ) -> Accepted:
        """Submit a job, sending the same ``Idempotency-Key`` at every try.

        Raises:
            ConfigurationError: `idempotency_key` cannot be a header's value.
        """
        answer: Accepted = self._call(calls.submit(query, idempotency_key, options))
        return answer

    def answer(
        self,
        job_id: str,
        value: Any,
        *,
        interrupt_id: str | None = None,
        idempotency_key: str | None = None,
        **options: Unpack[JobOptions],
    ) -> Accepted:
        """Answer what an interrupted job asks: submit the next job of its thread.

        Args:
            job_id: the job that asked.
            value: the answer, any JSON; several questions are answered by ``{interrupt_id: value}``, some or all.
            interrupt_id: the question that `value` is for; needed if there are several and `value` does not say.
            idempotency_key: see `submit`.
            options: the other members of the new job, such as `context`, `config`, and a `command` that changes the
                state or says where to go beside the answer.

        Raises:
            CannotAnswer: the job asks nothing, or not that; nothing was sent.
            ApiError: 409 ``no_such_interrupt`` if it was answered already, ``thread_busy`` while an answer is at work.
        """
        given = answering(self.status(job_id), value, interrupt_id, options)
        return self.submit(idempotency_key=idempotency_key, **given)

    def status(self, job_id: str) -> JobStatus:
        """What the service says of the job; its result or error once it is over."""
        answer: JobStatus = self._call(calls.status(job_id))
        return answer

    def cancel(self, job_id: str) -> JobSummary:
        """Ask for the job's end; its ``status`` is then ``cancelling``, or the terminal one it had or got."""
        answer: JobSummary = self._call(calls.cancel(job_id))
        return answer

    def thread(self, thread_id: str) -> Thread:
        """The thread: what it is doing, and what its last job has left."""
        answer: Thread = self._call(calls.thread(thread_id))
        return answer

    def state(self, thread_id: str, checkpoint_id: str | None = None, *, subgraphs: bool = False) -> ThreadState:
        """The state that the thread is in, or the one of a checkpoint of its history.

        With `subgraphs`, a task that waits within a subgraph has that one's state as its ``state``.
        """
        answer: ThreadState = self._call(calls.state(thread_id, checkpoint_id, subgraphs))
        return answer

    def history(self, thread_id: str, *, limit: int | None = None, before: str | None = None) -> list[ThreadState]:
        """A page of the thread's states, newest first; `before`, the ``checkpoint_id`` of the last, gives the next."""
        answer: list[ThreadState] = self._call(calls.history(thread_id, limit, before), list)
        return answer

    def update_state(
        self,
        thread_id: str,
        values: Values,
        *,
        as_node: str | None = None,
        checkpoint_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> StateUpdated | Accepted:
        """Change the thread's state by a short job that runs no node, and wait for it.

        Args:
            thread_id: the thread; something has run on it, or its metadata names a ``graph_id``.
            values: what `as_node` might return: an object, a list of them, or None to change only what comes next.
            as_node: the node that is taken to have returned them; None where LangGraph can tell.
            checkpoint_id: change the state at this checkpoint of the history, which makes a branch; None: the newest.
            idempotency_key: see `submit`.

        Returns:
            The checkpoint that was made; or, if that takes longer than a call can, the job that makes it: it has a
            ``job_id``, and can be followed like any other.

        Raises:
            ApiError: 409 ``thread_busy`` while a job of the thread has not ended; 400 ``invalid_update`` if the graph
                does not take it; 502 ``update_failed`` if the job fails otherwise. None of them is tried again.
        """
        call = calls.update_state(thread_id, values, as_node, checkpoint_id, idempotency_key)
        answer: StateUpdated | Accepted = self._call(call)
        return answer

    def delete_thread(self, thread_id: str) -> None:
        """Delete the thread with all its jobs, states and checkpoints; a job that still runs is ended first.

        It is gone for everybody at once, and erased by the service within minutes. One that is gone when the call is
        tried again was deleted by an earlier try.
        """
        self._call(calls.delete_thread(thread_id), NoneType)

    def delete(self, job_id: str) -> JobSummary | None:
        """Delete the job and all that is kept of it; one that still runs is ended first.

        It is gone for everybody at once, and erased by the service within about a minute of its end.

        Returns:
            The job as it was; None if it is gone when the call is tried again, since an earlier try has deleted it.
        """
        answer: JobSummary | None = self._call(calls.delete(job_id))
        return answer

    def list(
        self,
        *,
        status: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        owner: str | None = None,
    ) -> JobList:
        """One page of the caller's jobs, newest first; with `owner`, of the jobs of this subject.

        Raises:
            ApiError: 404 ``owner_not_found`` for an `owner` other than the caller, who is no administrator.
        """
        answer: JobList = self._call(calls.list_jobs(status, limit, cursor, owner))
        return answer

    def stream_ticket(self, job_id: str) -> StreamTicket:
        """A fresh ticket for a browser."""
        answer: StreamTicket = self._call(calls.stream_ticket(job_id))
        return answer

    def revoke_tickets(self, job_id: str) -> TicketsRevoked:
        """Let no address of the job's stream that was given until now open it; `stream` gets itself a fresh one."""
        answer: TicketsRevoked = self._call(calls.revoke_tickets(job_id))
        return answer

    def stream(self, job_id: str, after: int = 0) -> Generator[Event]:
        """The job's events with a seq above `after`, live, up to and with `done`; none if that has been seen.

        Reconnects by itself and resumes with ``Last-Event-ID``: nothing is lost or repeated. Closing the
        generator closes the connection.

        Raises:
            ApiError: the service refuses (400, 401, 404), or has not recovered within the policy's bound.
            ServiceUnreachable: no connection holds, `stream_retries.max_failures` times in a row without an event.
            SequenceError: an event's seq is not exactly the last one plus 1.
            ValueError: `after` is below 0.
        """
        following = EventStream(after, Failures(self._stream_retries, self._on_retry))
        if self._stream_url is None:
            self._stream_url = calls.stream_base(self.stream_ticket(job_id))
        return self._follow(job_id, self._stream_url, following)

    def _follow(self, job_id: str, base: str, following: EventStream) -> Generator[Event]:
        while not following.done:
            failure = None
            try:
                with self._answer(base, calls.stream(job_id, following.last), STREAM_TIMEOUT) as response:
                    following.opened(response)
                    with transport_errors(response.url):
                        for chunk in response.iter_bytes():
                            yield from following.feed(chunk)
                            if following.done:
                                return
                    following.closed(response.url)
            except (ApiError, ServiceUnreachable) as error:
                failure = error
            if not following.done:
                self._sleep(following.pause(failure))

    def _call(self, call: Call, kind: type = dict) -> Any:
        failures = Failures(self._api_retries, self._on_retry)
        while True:
            try:
                with self._answer(self._url, call, API_TIMEOUT) as response:
                    with transport_errors(response.url):
                        response.read()
                    return json_of(response, kind)
            except (ApiError, ServiceUnreachable) as error:
                if deleted_before(call, error, failures):
                    return None
                wait = failures.wait(error)
            self._sleep(wait)

    @contextmanager
    def _answer(self, base: str, call: Call, timeout: httpx.Timeout) -> Generator[httpx.Response]:
        """An answer of status 2xx with its body unread; it is closed at the end, however far it was read."""
        request = built(self._http, base, call, timeout)
        with transport_errors(request.url):
            response = self._http.send(request, stream=True)
        try:
            if not response.is_success:
                with transport_errors(response.url):
                    response.read()
                raise refusal(response)
            yield response
        finally:
            response.close()
