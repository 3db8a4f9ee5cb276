"""What is retried how often: the queue, its dead letters, the mapping to the worker, the schedule."""

from __future__ import annotations

from typing import Any

import pytest

from tests.infra.template import Template

STAGES = ("template", "production", "elsewhere")


@pytest.fixture(params=STAGES)
def stage(request: pytest.FixtureRequest) -> Template:
    found: Template = request.getfixturevalue(str(request.param))
    return found


def queue(template: Template, name: str = "JobsQueue") -> dict[str, Any]:
    properties: dict[str, Any] = template.only("AWS::SQS::Queue", name)["Properties"]
    return properties


def mapping(template: Template) -> dict[str, Any]:
    properties: dict[str, Any] = template.only("AWS::Lambda::EventSourceMapping", "WorkerMapping")["Properties"]
    return properties


def test_a_message_stays_hidden_for_longer_than_its_worker_may_run(stage: Template) -> None:
    assert queue(stage)["VisibilityTimeout"] >= stage.function("worker")["Timeout"] + 30


def test_a_message_is_given_up_only_after_far_more_tries_than_a_job_has_attempts(stage: Template) -> None:
    redrive = queue(stage)["RedrivePolicy"]
    assert redrive["maxReceiveCount"] == 100
    assert redrive["maxReceiveCount"] > 10 * int(stage.environment("worker")["GRAPHJOBS_MAX_ATTEMPTS"])
    assert redrive["deadLetterTargetArn"]["Fn::GetAtt"][0].startswith("JobsDeadLetters")


def test_dead_letters_are_kept_for_people_as_long_as_sqs_can(stage: Template) -> None:
    fourteen_days = 14 * 86_400
    dead = queue(stage, "JobsDeadLetters")
    assert dead["MessageRetentionPeriod"] == fourteen_days
    assert "RedrivePolicy" not in dead


def test_a_dead_letter_that_is_as_old_as_the_queue_lets_it_be_is_still_there_for_ten_days(stage: Template) -> None:
    # SQS counts from when a message was first sent, also in the dead-letter queue.
    dead, alive = (queue(stage, name)["MessageRetentionPeriod"] for name in ("JobsDeadLetters", "JobsQueue"))
    assert dead - alive >= 10 * 86_400


def test_queues_are_encrypted_and_speak_only_tls(stage: Template) -> None:
    closed = set()
    for policy in stage.of_type("AWS::SQS::QueuePolicy").values():
        (statement,) = policy["Properties"]["PolicyDocument"]["Statement"]
        assert (statement["Effect"], statement["Action"], statement["Principal"]) == ("Deny", "sqs:*", {"AWS": "*"})
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        closed |= {reference["Ref"] for reference in policy["Properties"]["Queues"]}
    assert closed == set(stage.of_type("AWS::SQS::Queue"))
    assert all(
        item["Properties"].get("SqsManagedSseEnabled") or item["Properties"]["KmsMasterKeyId"]
        for item in stage.of_type("AWS::SQS::Queue").values()
    )


def test_a_worker_gets_one_message_at_a_time_and_answers_for_it_alone(stage: Template) -> None:
    made = mapping(stage)
    assert made["BatchSize"] == 1
    assert "MaximumBatchingWindowInSeconds" not in made
    assert made["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert made["EventSourceArn"]["Fn::GetAtt"][0].startswith("JobsQueue")
    assert stage.called(made["FunctionName"]).partition(":")[0] == "worker"
    assert made.get("Enabled", True)


def test_workers_are_bounded_by_the_mapping_and_not_by_a_reservation(template: Template, production: Template) -> None:
    # A reservation would throttle the mapping's pollers, and each throttled message counts as received.
    assert mapping(template)["ScalingConfig"] == {"MaximumConcurrency": 5}
    assert mapping(production)["ScalingConfig"] == {"MaximumConcurrency": 300}
    for stage in (template, production):
        assert "ReservedConcurrentExecutions" not in stage.function("worker")


def test_a_job_may_send_itself_on_without_being_taken_for_a_runaway(stage: Template) -> None:
    assert stage.function("worker")["RecursiveLoop"] == "Allow"
    others = [name for name in stage.functions() if name != "worker"]
    assert not [name for name in others if "RecursiveLoop" in stage.function(name)]


def test_the_reconciler_runs_every_minute_unless_told_otherwise(template: Template, elsewhere: Template) -> None:
    for stage, rate in ((template, "rate(1 minute)"), (elsewhere, "rate(5 minutes)")):
        rule = stage.only("AWS::Events::Rule", "Reconcile")["Properties"]
        assert (rule["ScheduleExpression"], rule["State"]) == (rate, "ENABLED")
        (target,) = rule["Targets"]
        assert stage.called(target["Arn"]) == "reconcile:live"


def test_a_failed_run_of_the_reconciler_is_not_repeated(stage: Template) -> None:
    retries = stage.only("AWS::Lambda::EventInvokeConfig", "FunctionsReconcile")["Properties"]
    assert stage.called(retries["FunctionName"]) == "reconcile"
    alias = retries["Qualifier"]["Fn::Select"][1]["Fn::Split"][1]
    assert stage.called(alias) == "reconcile:live", "what is said of the function itself does not hold for its alias"
    assert retries["MaximumRetryAttempts"] == 0
    assert retries["MaximumEventAgeInSeconds"] == 60
