"""Bodies that are none: refused before the resolver looks at them, which takes forms as well.

The resolver also knows of fewer ways in which a text is not JSON.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from graphjobs.http.problem import Problem
from graphjobs.http.resolver import not_json


def refused_body(event: dict[str, Any], limit: int) -> Problem | None:
    """Why the body of a request is no JSON object of at most `limit` bytes, if it is none."""
    if _size(event) > limit:
        return Problem(413, "body_too_large", f"The body is over {limit} bytes.")
    return _unreadable(event)


def _unreadable(event: dict[str, Any]) -> Problem | None:
    media_type = event.get("headers", {}).get("content-type", "").partition(";")[0].strip()
    if media_type not in ("", "application/json"):
        return not_json()
    try:
        body = event.get("body") or "null"
        value = json.loads(base64.b64decode(body).decode() if event.get("isBase64Encoded") else body)
    except (ValueError, RecursionError) as error:
        # Also bytes that are not UTF-8, a number of too many digits, and brackets nested too deep.
        reason = error.msg if isinstance(error, json.JSONDecodeError) else type(error).__name__
        return Problem(400, "invalid_json", f"The body is not JSON: {reason}.")
    if not isinstance(value, dict):
        # The resolver would take the first item of a list for the body.
        return Problem(400, "invalid_request", "The body is not a JSON object.")
    return None


def _size(event: dict[str, Any]) -> int:
    """Bytes of the body as the caller sent it, which the HTTP API may have put into base64."""
    body = event.get("body") or ""
    if event.get("isBase64Encoded"):
        return len(body.rstrip("=")) * 3 // 4
    return len(body.encode("utf-8", "surrogatepass"))
