"""What the functions really call is what their roles allow: nothing is missing, and nothing is there for no reason."""

from __future__ import annotations

import pytest

from graphjobs.core.manifest import FUNCTIONS
from infra.environment import READS
from tests.infra.recorded import Recording, needed
from tests.infra.template import Template

ALWAYS = {"logs:CreateLogStream", "logs:PutLogEvents"}

NOT_IN_THE_SCENARIO = {
    ("worker", "sqs:ReceiveMessage", "queue"): "Lambda itself, for the mapping",
    ("worker", "sqs:GetQueueAttributes", "queue"): "Lambda itself, for the mapping",
    ("worker", "sqs:DeleteMessage", "queue"): "Lambda itself, and a worker whose node outlives its job",
    ("worker", "dynamodb:GetItem", "events"): "a conflict whose answer does not bring the item along",
    ("stream", "dynamodb:BatchGetItem", "events"): "several viewers in one process, as multi-concurrency gives",
}


@pytest.mark.parametrize("function", [name for name in READS if not FUNCTIONS[name].optional])
def test_a_role_allows_what_its_function_calls_and_no_more(
    template: Template, recording: Recording, function: str
) -> None:
    called = recording.calls[function]
    allowed = {pair for pair in template.role(function) if pair[0] not in ALWAYS}
    assert not called - allowed, "the code calls what its role does not allow"
    excused = {(action, resource) for name, action, resource in NOT_IN_THE_SCENARIO if name == function}
    assert allowed - called == excused, "the role allows what the code does not call"


def test_a_call_is_taken_for_what_iam_asks() -> None:
    transaction = {
        "TransactItems": [
            {"Put": {"TableName": "events"}},
            {"Update": {"TableName": "jobs"}},
            {"ConditionCheck": {"TableName": "jobs"}},
        ]
    }
    assert needed("dynamodb", "TransactWriteItems", transaction) == {
        ("dynamodb:PutItem", "events"),
        ("dynamodb:UpdateItem", "jobs"),
        ("dynamodb:ConditionCheckItem", "jobs"),
    }
    tagged = {"Key": "checkpoints/a/b", "Tagging": "ttl=1"}
    assert needed("s3", "PutObject", tagged) == {
        ("s3:PutObject", "bucket/checkpoints/*"),
        ("s3:PutObjectTagging", "bucket/checkpoints/*"),
    }
    assert needed("dynamodb", "Query", {"TableName": "jobs", "IndexName": "active"}) == {
        ("dynamodb:Query", "jobs/index/active")
    }
