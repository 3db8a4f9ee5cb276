"""The one form of an error over HTTP: ``application/problem+json`` (RFC 9457) with a stable ``code``.

Used by the API handlers, the stream and the local edge alike. Imports nothing but the standard library.
"""

import json
from http import HTTPStatus
from typing import Any, Final

CONTENT_TYPE: Final = "application/problem+json"

SECURITY_HEADERS: Final = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
"""On every answer of ours: an address may carry a ticket, and a status is out of date at once."""


class Problem(Exception):
    """A request that is refused, raised anywhere below a handler and turned into an answer there.

    Attributes:
        status: HTTP status.
        code: stable, machine-readable name, such as ``job_not_found``.
        detail: one sentence for a person; never a secret, never a stack trace.
        headers: more headers of the answer, such as ``Retry-After``.
        extra: more members of the body (RFC 9457, section 3.2).
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        headers: dict[str, str] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = headers or {}
        self.extra = extra or {}

    def body(self) -> str:
        """The JSON text of the answer."""
        members = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
        }
        return json.dumps(members | self.extra, ensure_ascii=False)

    def all_headers(self) -> dict[str, str]:
        """Headers of the answer, with its content type."""
        return {"Content-Type": CONTENT_TYPE, **SECURITY_HEADERS, **self.headers}


def problem_response(problem: Problem) -> dict[str, Any]:
    """`problem` as the answer of a Lambda function behind an HTTP API (payload format 2.0)."""
    return {
        "statusCode": problem.status,
        "headers": {name.lower(): value for name, value in problem.all_headers().items()},
        "body": problem.body(),
        "isBase64Encoded": False,
    }


def job_not_found() -> Problem:
    """A job that does not exist, has expired or is another owner's: the three look exactly alike."""
    return Problem(404, "job_not_found", "There is no such job.")


def owner_not_found() -> Problem:
    """The answer to who may not list that owner's jobs."""
    return Problem(404, "owner_not_found", "There is no such owner whose jobs you may list.")


def thread_not_found() -> Problem:
    """A thread that does not exist, has expired or is another owner's: the three look exactly alike."""
    return Problem(404, "thread_not_found", "There is no such thread.")


def checkpoint_not_found() -> Problem:
    """A checkpoint that does not exist, has expired, or is of a job that came to nothing: they look exactly alike."""
    return Problem(404, "checkpoint_not_found", "The thread has no such checkpoint.")


def route_not_found() -> Problem:
    """A path that the API does not have."""
    return Problem(404, "not_found", "There is nothing at this address.")


def unavailable(retry_after_seconds: int = 2) -> Problem:
    """A backend that is failing for the moment; nothing half-done remains, so a retry is safe."""
    return Problem(
        503,
        "temporarily_unavailable",
        "The service cannot answer just now. Try again.",
        headers={"Retry-After": str(retry_after_seconds)},
    )
