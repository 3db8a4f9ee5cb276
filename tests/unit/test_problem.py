"""The one form of an error over HTTP."""

from __future__ import annotations

import json

import pytest

from graphjobs.http.problem import Problem, job_not_found, problem_response, route_not_found, unavailable


def test_a_problem_is_rfc_9457_with_a_code() -> None:
    assert json.loads(Problem(409, "some_code", "What is wrong.").body()) == {
        "type": "about:blank",
        "title": "Conflict",
        "status": 409,
        "code": "some_code",
        "detail": "What is wrong.",
    }


def test_more_members_and_headers_are_added() -> None:
    problem = Problem(400, "invalid", "No.", headers={"Retry-After": "7"}, extra={"errors": [{"at": "가"}]})
    assert json.loads(problem.body())["errors"] == [{"at": "가"}]
    assert problem.all_headers() == {
        "Content-Type": "application/problem+json",
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "Retry-After": "7",
    }


def test_two_problems_share_nothing() -> None:
    first, second = Problem(400, "a", "A."), Problem(400, "b", "B.")
    first.headers["X"] = "1"
    first.extra["x"] = 1
    assert (second.headers, second.extra) == ({}, {})


def test_the_answer_of_a_function_is_payload_format_2() -> None:
    answer = problem_response(unavailable(5))
    assert set(answer) == {"statusCode", "headers", "body", "isBase64Encoded"}
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (503, False)
    assert answer["headers"]["retry-after"] == "5"
    assert answer["headers"]["content-type"] == "application/problem+json"
    assert json.loads(json.dumps(answer)) == answer


@pytest.mark.parametrize(
    ("problem", "status", "code"),
    [
        (job_not_found(), 404, "job_not_found"),
        (route_not_found(), 404, "not_found"),
        (unavailable(), 503, "temporarily_unavailable"),
    ],
)
def test_the_codes_are_stable(problem: Problem, status: int, code: str) -> None:
    members = json.loads(problem.body())
    assert (members["status"], members["code"]) == (problem.status, problem.code) == (status, code)
    assert str(problem).startswith(f"{status} {code}")
