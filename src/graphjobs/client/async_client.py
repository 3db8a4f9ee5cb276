"""The client for programs that run on asyncio: the calls of `Client`, awaited."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
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


class AsyncClient:
    """Calls one graphjobs service on behalf of one user, from one event loop; many calls at once are fine.

    Arguments and errors are those of `Client`. A `token` function is called on the event loop, so it must not block.
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
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._url = calls.base_url(url)
        self._stream_url = calls.base_url(stream_url) if stream_url else None
        self._http = httpx.AsyncClient(verify=trusted(), transport=transport, mounts=DIRECT, auth=Bearer(token))
        self._on_retry = on_retry
        self._api_retries = api_retries
        self._stream_retries = stream_retries
        self._sleep = sleep

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections that are kept open."""
        await self._http.aclose()

    async def submit(
        self, query: str | None = None, *, idempotency_key: str | None = None, **options: Unpack[JobOptions]
    ) -> Accepted:
        """See `Client.submit`."""
        answer: Accepted = await self._call(calls.submit(query, idempotency_key, options))
        return answer

    async def answer(
        self,
        job_id: str,
        value: Any,
        *,
        interrupt_id: str | None = None,
        idempotency_key: str | None = None,
        **options: Unpack[JobOptions],
    ) -> Accepted:
        """See `Client.answer`."""
        given = answering(await self.status(job_id), value, interrupt_id, options)
        return await self.submit(idempotency_key=idempotency_key, **given)

    async def status(self, job_id: str) -> JobStatus:
        """See `Client.status`."""
        answer: JobStatus = await self._call(calls.status(job_id))
        return answer

    async def cancel(self, job_id: str) -> JobSummary:
        """See `Client.cancel`."""
        answer: JobSummary = await self._call(calls.cancel(job_id))
        return answer

    async def thread(self, thread_id: str) -> Thread:
        """See `Client.thread`."""
        answer: Thread = await self._call(calls.thread(thread_id))
        return answer

    async def state(self, thread_id: str, checkpoint_id: str | None = None, *, subgraphs: bool = False) -> ThreadState:
        """See `Client.state`."""
        answer: ThreadState = await self._call(calls.state(thread_id, checkpoint_id, subgraphs))
        return answer

    async def history(
        self, thread_id: str, *, limit: int | None = None, before: str | None = None
    ) -> list[ThreadState]:
        """See `Client.history`."""
        answer: list[ThreadState] = await self._call(calls.history(thread_id, limit, before), list)
        return answer

    async def update_state(
        self,
        thread_id: str,
        values: Values,
        *,
        as_node: str | None = None,
        checkpoint_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> StateUpdated | Accepted:
        """See `Client.update_state`."""
        call = calls.update_state(thread_id, values, as_node, checkpoint_id, idempotency_key)
        answer: StateUpdated | Accepted = await self._call(call)
        return answer

    async def delete_thread(self, thread_id: str) -> None:
        """See `Client.delete_thread`."""
        await self._call(calls.delete_thread(thread_id), NoneType)

    async def delete(self, job_id: str) -> JobSummary | None:
        """See `Client.delete`."""
        answer: JobSummary | None = await self._call(calls.delete(job_id))
        return answer

    async def list(
        self,
        *,
        status: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        owner: str | None = None,
    ) -> JobList:
        """See `Client.list`."""
        answer: JobList = await self._call(calls.list_jobs(status, limit, cursor, owner))
        return answer

    async def stream_ticket(self, job_id: str) -> StreamTicket:
        """See `Client.stream_ticket`."""
        answer: StreamTicket = await self._call(calls.stream_ticket(job_id))
        return answer

    async def revoke_tickets(self, job_id: str) -> TicketsRevoked:
        """See `Client.revoke_tickets`."""
        answer: TicketsRevoked = await self._call(calls.revoke_tickets(job_id))
        return answer

    async def stream(self, job_id: str, after: int = 0) -> AsyncGenerator[Event]:
        """See `Client.stream`. Close the generator (`contextlib.aclosing`) if you leave before its end."""
        following = EventStream(after, Failures(self._stream_retries, self._on_retry))
        if self._stream_url is None:
            self._stream_url = calls.stream_base(await self.stream_ticket(job_id))
        while not following.done:
            failure = None
            try:
                call = calls.stream(job_id, following.last)
                async with self._answer(self._stream_url, call, STREAM_TIMEOUT) as response:
                    following.opened(response)
                    with transport_errors(response.url):
                        async for chunk in response.aiter_bytes():
                            for event in following.feed(chunk):
                                yield event
                            if following.done:
                                return
                    following.closed(response.url)
            except (ApiError, ServiceUnreachable) as error:
                failure = error
            if not following.done:
                await self._sleep(following.pause(failure))

    async def _call(self, call: Call, kind: type = dict) -> Any:
        failures = Failures(self._api_retries, self._on_retry)
        while True:
            try:
                async with self._answer(self._url, call, API_TIMEOUT) as response:
                    with transport_errors(response.url):
                        await response.aread()
                    return json_of(response, kind)
            except (ApiError, ServiceUnreachable) as error:
                if deleted_before(call, error, failures):
                    return None
                wait = failures.wait(error)
            await self._sleep(wait)

    @asynccontextmanager
    async def _answer(self, base: str, call: Call, timeout: httpx.Timeout) -> AsyncGenerator[httpx.Response]:
        request = built(self._http, base, call, timeout)
        with transport_errors(request.url):
            response = await self._http.send(request, stream=True)
        try:
            if not response.is_success:
                with transport_errors(response.url):
                    await response.aread()
                raise refusal(response)
            yield response
        finally:
            await response.aclose()
