"""What a page of another origin may send, to the API and to a stream alike, and read of the answers.

Tools that watch pages add headers of their own to every request, and a browser asks before it sends them. None has a
meaning here, and none is a danger: who calls is told by the token alone, never by a cookie. A list and not ``*``, which
does not stand for ``authorization`` (https://fetch.spec.whatwg.org/#cors-non-wildcard-request-header-name).
"""

from __future__ import annotations

from typing import Final

OURS: Final = ("authorization", "cache-control", "content-type", "idempotency-key", "last-event-id")

TRACING: Final = (
    "b3",
    "baggage",
    "elastic-apm-traceparent",
    "newrelic",
    "request-id",
    "sentry-trace",
    "traceparent",
    "tracestate",
    "x-amzn-trace-id",
    "x-b3-parentspanid",
    "x-b3-sampled",
    "x-b3-spanid",
    "x-b3-traceid",
    "x-correlation-id",
    "x-datadog-origin",
    "x-datadog-parent-id",
    "x-datadog-sampling-priority",
    "x-datadog-trace-id",
    "x-request-id",
    "x-requested-with",
)
"""Of W3C Trace Context and Baggage, B3, and the common monitoring tools."""

REQUEST_HEADERS: Final = OURS + TRACING
ANSWER_HEADERS: Final = ("idempotent-replayed", "retry-after")
