"""``GET /stream/{job_id}``: the stream function, a Starlette app that uvicorn serves, on Lambda as anywhere.

One process serves one stream on Lambda and a thousand elsewhere; nothing here depends on which.
"""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from graphjobs.auth.jwt_auth import jwt_verifier
from graphjobs.auth.principal import AuthError, AuthUnavailable
from graphjobs.auth.stream_url import tickets
from graphjobs.aws import clients as aws
from graphjobs.aws.backend import Backend
from graphjobs.aws.clients import is_transient
from graphjobs.aws.viewer_counts import ViewerCounts
from graphjobs.core import cors
from graphjobs.core.manifest import FUNCTIONS
from graphjobs.http import sse
from graphjobs.http.access import AdminUse
from graphjobs.http.problem import SECURITY_HEADERS, Problem, route_not_found, unavailable
from graphjobs.observability import Metric, record
from graphjobs.observability import logger as make_logger
from graphjobs.observability import metrics as make_metrics
from graphjobs.stream.cursor import cursor
from graphjobs.stream.follower import RETRY_MS, Feed, Follower, Pacing
from graphjobs.stream.opening import Credentials, Door, bearer_of
from graphjobs.stream.pages import Pages
from graphjobs.stream.poller import Poller
from graphjobs.stream.response import HEADERS, EventStreamResponse
from graphjobs.stream.turnstile import Turnstile
from graphjobs.stream.watchers import Watchers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aws_lambda_powertools import Metrics
    from starlette.requests import Request

THREADS: Final = 16


@dataclass(slots=True)
class StreamService:
    """Everything that a stream needs; one a process."""

    door: Door
    feed: Feed
    watchers: Watchers
    turnstile: Turnstile
    executor: Executor
    metrics: Metrics
    open_streams: int = 0

    async def stream(self, request: Request) -> Response:
        """Answer one request for a stream."""
        job_id = request.path_params["job_id"]
        credentials = Credentials(
            bearer_of(request.headers.get("authorization", "")), request.query_params.get("ticket")
        )
        try:
            after = cursor(request.headers.get("last-event-id"), request.query_params.get("after"))
            loop = asyncio.get_running_loop()
            opening = await loop.run_in_executor(self.executor, self.door.open, job_id, credentials, after)
        except AuthError as error:
            raise Problem(401, error.code, error.detail, headers={"WWW-Authenticate": "Bearer"}) from error
        except (AuthUnavailable, ClientError, BotoCoreError) as error:
            if isinstance(error, ClientError | BotoCoreError) and not is_transient(error):
                raise
            self.feed.logger.warning("stream not opened", extra={"job_id": job_id, "error": str(error)})
            return self._come_back(credentials)
        if opening.finished:
            return Response(status_code=204, headers=SECURITY_HEADERS)
        if request.method == "HEAD":  # which Starlette routes here too: nothing to follow
            return Response(headers=HEADERS)
        if seconds := await loop.run_in_executor(self.executor, self.turnstile.wait, opening.job):
            return self._too_many(credentials, seconds)
        if opening.live:
            self.watchers.note(job_id)
        follower = Follower(
            job_id,
            after,
            self.feed,
            first=opening.first,
            on_lag=lambda lag: record(self.metrics, Metric.DELIVERY_LAG, lag),
            on_wait=lambda: self.watchers.note(job_id),
        )
        self.open_streams += 1
        record(self.metrics, Metric.OPEN_STREAMS, self.open_streams)
        return EventStreamResponse(follower.frames(), self.feed.pacing.slow_reader, on_close=self._closed)

    def _closed(self) -> None:
        self.open_streams -= 1
        if self.metrics.metric_set:
            self.metrics.flush_metrics()

    def _come_back(self, credentials: Credentials) -> Response:
        """A passing fault: EventSource, which only has a ticket, gives up for good on any status but 200."""
        if credentials.bearer is None:
            return EventStreamResponse(_only_retry(RETRY_MS), self.feed.pacing.slow_reader)
        return problem_answer(unavailable())

    def _too_many(self, credentials: Credentials, seconds: int) -> Response:
        """As above: who has a ticket is asked to come again, who has a token is told why."""
        if credentials.bearer is None:
            return EventStreamResponse(_only_retry(seconds * 1000), self.feed.pacing.slow_reader)
        detail = "Too many streams of this job, or of your jobs, were opened just now."
        return problem_answer(Problem(429, "too_many_viewers", detail, headers={"Retry-After": str(seconds)}))


async def _only_retry(milliseconds: int) -> AsyncIterator[bytes]:
    yield sse.retry(milliseconds)


def problem_answer(problem: Problem) -> Response:
    """A problem as an answer."""
    return Response(problem.body(), problem.status, problem.all_headers())


def create_app(service: StreamService, *, cors_origins: tuple[str, ...] = ()) -> Starlette:
    """The app around `service`. CORS belongs here or in the function URL's configuration, never in both."""

    async def refused(request: Request, error: Exception) -> Response:
        if not isinstance(error, Problem):
            raise error
        return problem_answer(error)

    async def no_route(request: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException) and error.status_code == 405:
            allow = (error.headers or {}).get("Allow", "GET")
            return problem_answer(
                Problem(405, "method_not_allowed", "A stream is read with GET.", headers={"Allow": allow})
            )
        return problem_answer(route_not_found())

    async def broken(request: Request, error: Exception) -> Response:
        # Only the type and the place: a message may quote the request.
        service.feed.logger.error("unexpected error", exc_info=error)
        return problem_answer(Problem(500, "internal_error", "Something went wrong on our side."))

    async def healthy(request: Request) -> Response:
        return PlainTextResponse("ok")

    middleware = Middleware(
        CORSMiddleware,
        allow_origins=list(cors_origins),
        allow_methods=["GET"],
        allow_headers=list(cors.REQUEST_HEADERS),
        expose_headers=list(cors.ANSWER_HEADERS),
        max_age=600,
    )
    return Starlette(
        routes=[Route("/stream/{job_id}", service.stream, methods=["GET"]), Route("/healthz", healthy)],
        middleware=[middleware] if cors_origins else [],
        exception_handlers={Problem: refused, HTTPException: no_route, Exception: broken},
    )


def create_app_from_env() -> Starlette:
    """The app as the environment describes it: uvicorn's factory, locally and deployed."""
    settings = FUNCTIONS["stream"].settings(os.environ)
    logger = make_logger("stream")
    backend = Backend(settings, aws.with_connections(aws.REQUEST, THREADS))
    executor = ThreadPoolExecutor(THREADS, thread_name_prefix="aws")
    service = StreamService(
        door=Door(
            backend.jobs,
            backend.log,
            jwt_verifier(settings),
            tickets(settings),
            use=AdminUse(logger, "stream"),
        ),
        feed=Feed(
            Pages(backend.log, executor),
            Poller(backend.log, executor, logger),
            Pacing(settings.stream_window_seconds, settings.stream_heartbeat_seconds),
            logger,
        ),
        watchers=Watchers(backend.jobs, executor, logger),
        turnstile=Turnstile(
            ViewerCounts(backend.dynamodb, settings.jobs_table),
            settings.max_job_viewers,
            settings.max_owner_viewers,
            settings.stream_window_seconds,
            logger,
        ),
        executor=executor,
        metrics=make_metrics("stream"),
    )
    return create_app(service, cors_origins=settings.stream_cors_origins)
