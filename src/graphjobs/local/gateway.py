"""API Gateway's HTTP API, as our functions see it: payload format 2.0 in, its answer out."""

from __future__ import annotations

import base64
import json
import time
import uuid
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

TEXT_TYPES = ("text/", "application/json", "application/problem+json", "application/xml", "application/javascript")


def payload(request: Request, route_key: str, body: bytes, claims: dict[str, Any] | None) -> dict[str, Any]:
    """The event of one request, as the HTTP API builds it.

    Header names are lower case and values of the same name joined by commas, as are query parameters; cookies
    are apart; claims are strings.
    """
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        if name != "cookie":
            headers[name] = f"{headers[name]},{value}" if name in headers else value
    now = time.time()
    host = request.headers.get("host", "127.0.0.1")
    context: dict[str, Any] = {
        "accountId": "000000000000",
        "apiId": "local",
        "domainName": host,
        "domainPrefix": host.split(".", 1)[0],
        "http": {
            "method": request.method,
            "path": request.url.path,
            "protocol": "HTTP/1.1",
            "sourceIp": request.client.host if request.client else "127.0.0.1",
            "userAgent": request.headers.get("user-agent", ""),
        },
        "requestId": str(uuid.uuid4()),
        "routeKey": route_key,
        "stage": "$default",
        "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
        "timeEpoch": int(now * 1000),
    }
    if claims is not None:
        context["authorizer"] = {
            "jwt": {"claims": {name: as_claim(value) for name, value in claims.items()}, "scopes": None}
        }
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": request.url.path,
        "rawQueryString": request.url.query,
        "headers": headers,
        "requestContext": context,
        "isBase64Encoded": False,
    }
    if "cookie" in request.headers:
        event["cookies"] = [part.strip() for part in request.headers["cookie"].split(";")]
    if request.query_params:
        names = dict.fromkeys(request.query_params.keys())
        event["queryStringParameters"] = {name: ",".join(request.query_params.getlist(name)) for name in names}
    if request.path_params:
        event["pathParameters"] = dict(request.path_params)
    if body:
        event["body"], event["isBase64Encoded"] = _body(body, request.headers.get("content-type", ""))
    return event


def as_claim(value: Any) -> str:
    """A claim as the authorizer passes it on: always a text, that of a list ``[a b]``."""
    if isinstance(value, bool):
        return str(value).lower()
    return "[" + " ".join(str(item) for item in value) + "]" if isinstance(value, list) else str(value)


def _body(body: bytes, content_type: str) -> tuple[str, bool]:
    if content_type.startswith(TEXT_TYPES) or not content_type:
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass  # said to be text and is not: goes on as bytes
    return base64.b64encode(body).decode(), True


def answer(result: Any) -> Response:
    """The HTTP answer that a function's result stands for."""
    if not isinstance(result, dict) or "statusCode" not in result:
        return Response(json.dumps(result), 200, media_type="application/json")
    body = result.get("body") or ""
    content = base64.b64decode(body) if result.get("isBase64Encoded") else body.encode()
    response = Response(content, result["statusCode"])
    for name, value in result.get("headers", {}).items():
        response.headers[name] = str(value)
    for cookie in result.get("cookies", []):
        response.headers.append("set-cookie", cookie)
    return response
