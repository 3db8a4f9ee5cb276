"""What the API functions share: the resolver that turns every failure into problem+json, owner and addresses.

Only functions behind the HTTP API import this; the stream has its own framework and the same `problem.py`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.openapi.exceptions import (
    RequestUnsupportedContentType,
    RequestValidationError,
)
from botocore.exceptions import BotoCoreError, ClientError

from graphjobs.auth.principal import AuthUnavailable, Principal
from graphjobs.aws.bulk import BackendUnavailable
from graphjobs.aws.cancel import JobGone
from graphjobs.aws.clients import REQUEST, is_transient, longest_call
from graphjobs.aws.retry import NoTimeLeft, no_try_after
from graphjobs.aws.transition import Contended
from graphjobs.core.settings import Settings
from graphjobs.core.times import now_ms
from graphjobs.core.version import NewerVersion
from graphjobs.http.access import AdminUse, readable_job
from graphjobs.http.problem import (
    SECURITY_HEADERS,
    Problem,
    job_not_found,
    problem_response,
    route_not_found,
    unavailable,
)

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger, Metrics

    from graphjobs.auth.administrators import Administrators
    from graphjobs.aws.job_store import JobStore
    from graphjobs.core.job import Job


MAX_RESPONSE_BYTES: Final = 6_291_556 - 65_536
"""Lambda's limit of a response, less what the headers may take."""

PASSING: Final = (BackendUnavailable, Contended, NoTimeLeft, AuthUnavailable, NewerVersion)
"""What may be otherwise when the caller tries again."""

LAST_TRY_SECONDS: Final = longest_call(REQUEST) + 2.0
"""What a last try and our answer may take, before Lambda ends the function and API Gateway answers in our place."""

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]
"""A Lambda function's entry: event and context in, the answer out."""


def http_app(logger: Logger) -> APIGatewayHttpResolver:
    """A resolver for payload format 2.0, with validation, whose errors are all problem+json."""
    app = APIGatewayHttpResolver(enable_validation=True)

    def answer(problem: Problem) -> Response[str]:
        return Response(problem.status, headers=problem.all_headers(), body=problem.body())

    def refused(error: Problem) -> Response[str]:
        return answer(error)

    def invalid(error: RequestValidationError) -> Response[str]:
        return answer(_invalid(error))

    def unsupported(error: RequestUnsupportedContentType) -> Response[str]:
        return answer(not_json())

    def failing(error: Exception) -> Response[str]:
        if isinstance(error, ClientError | BotoCoreError) and not is_transient(error):
            return broken(error)
        logger.warning("backend is failing", extra={"error": str(error)})
        return answer(unavailable())

    def broken(error: Exception) -> Response[str]:
        logger.exception("unexpected error")
        return answer(Problem(500, "internal_error", "Something went wrong on our side."))

    def gone(error: JobGone) -> Response[str]:
        return answer(job_not_found())

    handlers: list[tuple[Any, Callable[[Any], Response[str]]]] = [
        (Problem, refused),
        (RequestUnsupportedContentType, unsupported),
        (RequestValidationError, invalid),
        ([*PASSING, ClientError, BotoCoreError], failing),
        (JobGone, gone),
        (Exception, broken),
    ]
    for kinds, handle in handlers:
        app.exception_handler(kinds)(handle)
    app.not_found(lambda error: answer(route_not_found()))
    return app


def api_handler(
    app: APIGatewayHttpResolver,
    metrics: Metrics | None = None,
    *,
    refusal: Callable[[dict[str, Any]], Problem | None] | None = None,
) -> Handler:
    """What Lambda calls for each request to `app`.

    Args:
        app: the resolver, with its routes.
        metrics: written out after each request.
        refusal: looks at the event before the resolver does; what it returns is the answer.
    """

    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        problem = refusal(event) if refusal else None
        if problem is not None:
            return problem_response(problem)
        last_try = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - LAST_TRY_SECONDS
        try:
            with no_try_after(last_try):
                return app.resolve(event, context)
        finally:
            if metrics is not None and metrics.metric_set:
                metrics.flush_metrics()

    return handler


def not_json() -> Problem:
    """The body is of another media type."""
    return Problem(415, "unsupported_media_type", "Send the body as JSON, with Content-Type: application/json.")


def _invalid(error: RequestValidationError) -> Problem:
    problems = [_readable(item) for item in error.errors()]
    if any(item["type"] == "json_invalid" for item in error.errors()):
        return Problem(400, "invalid_json", f"The body is not JSON: {problems[0]['message']}.")
    detail = "; ".join(f"{item['at']}: {item['message']}" if item["at"] else item["message"] for item in problems)
    return Problem(400, "invalid_request", detail[:1000] + ".", extra={"errors": problems[:20]})


def _readable(error: dict[str, Any]) -> dict[str, str]:
    where = [str(part) for part in error["loc"] if part not in ("body", "query", "path")]
    message = str(error.get("ctx", {}).get("error") or error["msg"])
    return {"at": ".".join(where), "message": message.removeprefix("Value error, ").rstrip(".")}


def json_text(body: dict[str, Any] | list[Any]) -> str:
    """The JSON text of an answer."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def fits(text: str) -> bool:
    """Whether Lambda lets `text` through as the body of an answer.

    It is a text within the JSON of the function's response, where quotes and whatever is not ASCII take more room.
    """
    return len(text) * 6 <= MAX_RESPONSE_BYTES or len(json.dumps(text)) <= MAX_RESPONSE_BYTES


def json_answer(status: int, body: dict[str, Any] | list[Any], headers: dict[str, str] | None = None) -> Response[str]:
    """A JSON answer that no cache keeps."""
    return Response(
        status,
        content_type="application/json",
        headers={**SECURITY_HEADERS, **(headers or {})},
        body=json_text(body),
    )


def owner_of(app: APIGatewayHttpResolver) -> str:
    """The caller: the subject of the token that the HTTP API's authorizer has verified.

    Raises:
        Problem: the route has no authorizer, which a deployment of ours always has.
    """
    subject = _claims(app).get("sub")
    if not isinstance(subject, str) or not subject:
        raise Problem(401, "unauthorized", "The token names no subject.")
    return subject


def caller_of(app: APIGatewayHttpResolver, admins: Administrators) -> Principal:
    """The same, and whether it is one of `admins`; raises as `owner_of` does."""
    authorization = app.current_event.raw_event.get("headers", {}).get("authorization", "")
    return Principal(owner_of(app), admin=admins.include_behind_gateway(_claims(app), authorization))


def _claims(app: APIGatewayHttpResolver) -> dict[str, Any]:
    context = app.current_event.raw_event.get("requestContext", {})
    claims: dict[str, Any] = context.get("authorizer", {}).get("jwt", {}).get("claims", {})
    return claims


def own_job(app: APIGatewayHttpResolver, jobs: JobStore, job_id: str, admins: Administrators, use: AdminUse) -> Job:
    """The caller's job; for one of `admins` anybody's, for `use`.

    Raises:
        Problem: 404 if it does not exist, has expired or is another owner's.
    """
    return readable_job(jobs, job_id, caller_of(app, admins), now_ms(), use)


def api_url(app: APIGatewayHttpResolver, settings: Settings) -> str:
    """The address that this API was called at, without a slash at the end."""
    if settings.api_url:
        return settings.api_url.rstrip("/")
    context = app.current_event.raw_event["requestContext"]
    stage = context.get("stage", "$default")
    return f"https://{context['domainName']}" + ("" if stage == "$default" else f"/{stage}")
