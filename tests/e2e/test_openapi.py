"""The OpenAPI document against the running service: schemathesis makes requests, well-formed and not, from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import schemathesis.pytest
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.e2e.user import User
from tests.support.instance import Target

DOCUMENT = Path(__file__).parents[2] / "docs" / "openapi.json"
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

pytestmark = pytest.mark.e2e
schema = schemathesis.pytest.from_fixture("document")
BOUNDED = settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def document(request: pytest.FixtureRequest) -> BaseSchema:
    """What is documented. Read when a test runs: else each of the processes that share the tests would find all the
    requests that it leads to, while it collects tests.
    """
    request.node._nodeid = request.node.nodeid  # schemathesis 4.32 writes to it; pytest 9.2 has it no longer
    return schemathesis.openapi.from_path(DOCUMENT)


@schema.exclude(path_regex="^/stream").parametrize()
@BOUNDED
def test_the_api_is_as_documented(case: Any, target: Target) -> None:
    """Given any request that the document describes, or nearly, then the answer is one that it describes."""
    case.call_and_validate(
        base_url=target.api_url, checks=CHECKS, headers={"Authorization": f"Bearer {target.token('user-1')}"}
    )


@pytest.fixture(scope="module")
def finished(target: Target) -> str:
    """The id of a job that has ended, so that following it ends at once."""
    with User(target) as user:
        job_id = user.start(query="환불 정책 알려줘")
        user.follow(job_id)
    return job_id


@schema.include(path_regex="^/stream").parametrize()
@BOUNDED
def test_the_stream_is_as_documented(case: Any, target: Target) -> None:
    """Given any request for a stream, then the answer is one that is described."""
    followed(case, target)


@schema.include(path_regex="^/stream").parametrize()
@BOUNDED
def test_the_stream_of_a_job_is_as_documented(case: Any, target: Target, finished: str) -> None:
    """Given any request for the stream of a job that there is, then the answer is one that is described."""
    case.path_parameters["job_id"] = finished
    followed(case, target)


def followed(case: Any, target: Target) -> None:
    case.call_and_validate(
        base_url=target.stream_url, checks=CHECKS, headers={"Authorization": f"Bearer {target.token('user-1')}"}
    )
