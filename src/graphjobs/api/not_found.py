"""The HTTP API's ``$default`` route: what no other route answers is our 404. Needs no package but our own."""

from __future__ import annotations

from typing import Any

from graphjobs.http.problem import problem_response, route_not_found


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """404 problem+json with the code ``not_found``, whatever was asked for."""
    return problem_response(route_not_found())
