"""The local HTTP API: the events that it builds are those of API Gateway's payload format 2.0."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.testclient import TestClient

from graphjobs.local.edge import create_edge
from graphjobs.local.gateway import answer, payload
from graphjobs.local.issuer import ensure_key, sign

ISSUER = "http://127.0.0.1:1/oidc"


def event(body: bytes = b"", claims: dict[str, Any] | None = None, query: str = "", **headers: str) -> dict[str, Any]:
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/jobs/x/cancel",
        "query_string": query.encode(),
        "headers": [(b"host", b"api.example.test"), *pairs, (b"x-twice", b"1"), (b"x-twice", b"2")],
        "client": ("192.0.2.1", 1),
        "server": ("api.example.test", 443),
        "scheme": "https",
        "path_params": {"job_id": "x"},
    }
    built = payload(Request(scope), "POST /jobs/{job_id}/cancel", body, claims)
    assert json.loads(json.dumps(built)) == built
    return built


def test_the_event_names_route_address_and_caller() -> None:
    built = event(claims={"sub": "user-1"}, query="a=1&a=2&b=%20", user_agent="test")
    assert (built["version"], built["routeKey"]) == ("2.0", "POST /jobs/{job_id}/cancel")
    assert built["rawPath"] == "/jobs/x/cancel" and built["pathParameters"] == {"job_id": "x"}
    assert built["rawQueryString"] == "a=1&a=2&b=%20"
    assert built["queryStringParameters"] == {"a": "1,2", "b": " "}
    assert built["headers"]["x-twice"] == "1,2"
    assert built["requestContext"]["http"]["sourceIp"] == "192.0.2.1"
    assert built["requestContext"]["authorizer"]["jwt"]["claims"] == {"sub": "user-1"}
    assert "body" not in built and built["isBase64Encoded"] is False


def test_claims_are_texts() -> None:
    claims = event(claims={"aud": ["a", "b"], "exp": 5, "verified": True})["requestContext"]["authorizer"]["jwt"]
    assert claims["claims"] == {"aud": "[a b]", "exp": "5", "verified": "true"}


def test_cookies_are_apart_from_the_headers() -> None:
    built = event(cookie="a=1; b=2")
    assert built["cookies"] == ["a=1", "b=2"] and "cookie" not in built["headers"]


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        ("환불".encode(), "application/json", "환불"),
        (b"x", "text/plain; charset=utf-8", "x"),
        (b"\xff", "application/json", None),
        (b"x", "application/octet-stream", None),
    ],
)
def test_a_body_is_text_or_base64(body: bytes, content_type: str, text: str | None) -> None:
    built = event(body, content_type=content_type)
    assert built["isBase64Encoded"] is (text is None)
    assert built["body"] == (base64.b64encode(body).decode() if text is None else text)


def test_an_answer_is_given_as_the_function_made_it() -> None:
    made = {"statusCode": 202, "headers": {"X-A": "1"}, "cookies": ["a=1", "b=2"], "body": "e\u0301"}
    response = answer(made)
    assert (response.status_code, response.headers["x-a"]) == (202, "1")
    assert response.headers.getlist("set-cookie") == ["a=1", "b=2"]
    assert bytes(response.body) == "e\u0301".encode()
    encoded = answer({"statusCode": 200, "isBase64Encoded": True, "body": base64.b64encode(b"\xff").decode()})
    assert bytes(encoded.body) == b"\xff"
    assert answer(["x"]).media_type == "application/json"


@pytest.fixture
def edge(tmp_path: Path) -> TestClient:
    return TestClient(create_edge(ISSUER, tmp_path))


@pytest.mark.parametrize("seconds", [None, -1])
def test_the_edge_refuses_as_the_authorizer_does(edge: TestClient, tmp_path: Path, seconds: int | None) -> None:
    token = "x.y.z" if seconds is None else sign(ensure_key(tmp_path), ISSUER, "user-1", seconds)
    for headers in ({}, {"authorization": f"Bearer {token}"}, {"authorization": token}):
        refused = edge.get("/jobs", headers=headers)
        assert (refused.status_code, refused.json()) == (401, {"message": "Unauthorized"})


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/nothing"), ("DELETE", "/jobs"), ("GET", "/jobs/"), ("GET", "/")]
)
def test_what_no_route_answers_the_gateway_answers_itself(edge: TestClient, method: str, path: str) -> None:
    refused = edge.request(method, path)
    assert (refused.status_code, refused.json()) == (404, {"message": "Not Found"})


def test_the_issuer_publishes_no_private_key(edge: TestClient) -> None:
    (key,) = edge.get("/oidc/jwks").json()["keys"]
    assert set(key) <= {"kty", "n", "e", "kid", "use", "alg", "key_ops"}
    assert edge.get("/oidc/.well-known/openid-configuration").json()["jwks_uri"] == f"{ISSUER}/jwks"
