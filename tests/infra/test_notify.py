"""Where others are told of a job's status: what calls the functions, what is given up; off by default."""

from __future__ import annotations

import json
from typing import Any

from graphjobs.core.job import Status
from tests.infra.conftest import Synth
from tests.infra.template import Template


def mappings(found: Template) -> dict[str, dict[str, Any]]:
    """The event source mappings by the function that they call."""
    made = found.of_type("AWS::Lambda::EventSourceMapping").values()
    return {found.called(each["Properties"]["FunctionName"]): each["Properties"] for each in made}


def test_by_default_nobody_is_told_and_the_table_has_no_stream(template: Template) -> None:
    assert set(mappings(template)) == {"worker:live"}
    for table in template.of_type("AWS::DynamoDB::Table").values():
        assert "StreamSpecification" not in table["Properties"]
    assert "GRAPHJOBS_WEBHOOK_HOSTS" not in template.environment("create_job")


def test_the_stream_of_the_jobs_table_calls_for_changes_of_status_alone(production: Template) -> None:
    from infra.notify import patterns

    jobs = production.only("AWS::DynamoDB::Table", "StorageJobs")["Properties"]
    assert jobs["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    changes = mappings(production)["publish_status:live"]
    assert changes["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert changes["StartingPosition"] == "TRIM_HORIZON"
    assert changes["BisectBatchOnFunctionError"] is True
    assert "Destination" in changes["DestinationConfig"]["OnFailure"]
    filters = [json.loads(each["Pattern"]) for each in changes["FilterCriteria"]["Filters"]]
    assert filters == json.loads(json.dumps(patterns()))
    assert len(filters) <= 5, "Lambda's limit"


def matches(pattern: Any, value: Any) -> bool:
    """Lambda's rules for the operators that are used here."""
    if isinstance(pattern, dict):
        return isinstance(value, dict) and all(matches(each, value.get(name)) for name, each in pattern.items())
    for each in pattern:
        if isinstance(each, dict) and "prefix" in each and str(value).startswith(each["prefix"]):
            return True
        if (
            isinstance(each, dict)
            and "anything-but" in each
            and value is not None
            and value not in each["anything-but"]
        ):
            return True
        if each == value:
            return True
    return False


def record(before: str | None, after: str, pk: str = "job#1") -> dict[str, Any]:
    images: dict[str, Any] = {"NewImage": {"pk": {"S": pk}, "status": {"S": after}}}
    if before:
        images["OldImage"] = {"pk": {"S": pk}, "status": {"S": before}}
    return {"eventName": "MODIFY" if before else "INSERT", "dynamodb": images}


def test_each_change_of_status_passes_the_filters_and_a_heartbeat_does_not() -> None:
    from infra.notify import patterns

    def passes(given: dict[str, Any]) -> bool:
        return any(matches(pattern, given) for pattern in patterns())

    assert passes(record(None, "queued"))
    assert not passes(record(None, "queued", pk="input#1"))
    for after in Status:
        if after is not Status.QUEUED:
            assert passes(record("queued", after.value)), after
        assert not passes(record(after.value, after.value)), after


def test_a_webhook_is_tried_for_hours_and_then_kept_for_people(production: Template) -> None:
    queue = production.only("AWS::SQS::Queue", "NotificationsWebhooks")["Properties"]
    assert queue["RedrivePolicy"]["maxReceiveCount"] == 8
    assert queue["VisibilityTimeout"] == 180
    deliver = mappings(production)["deliver_webhook:live"]
    assert deliver["BatchSize"] == 1
    assert deliver["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    environment = production.environment("deliver_webhook")
    assert environment["GRAPHJOBS_WEBHOOK_HOSTS"] == "public"
    assert {"GRAPHJOBS_WEBHOOKS_URL", "GRAPHJOBS_WEBHOOK_SECRET", "GRAPHJOBS_JOBS_TABLE"} <= set(environment)
    assert production.environment("create_job")["GRAPHJOBS_WEBHOOK_HOSTS"] == "public"


def test_what_was_given_up_raises_an_alarm(template: Template, production: Template) -> None:
    assert not [name for name in template.of_type("AWS::CloudWatch::Alarm") if "Untold" in name]
    assert [name for name in production.of_type("AWS::CloudWatch::Alarm") if "Untold" in name]


def test_a_bus_alone_needs_no_webhooks(synth: Synth) -> None:
    found = synth(event_bus="mine")
    assert set(mappings(found)) == {"worker:live", "publish_status:live"}
    assert {resource for action, resource in found.role("publish_status") if action == "sqs:SendMessage"} == {"untold"}
    assert found.environment("publish_status")["GRAPHJOBS_EVENT_BUS"] == "mine"
    assert "GRAPHJOBS_WEBHOOKS_URL" not in found.environment("publish_status")
