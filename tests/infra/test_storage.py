"""Tables and bucket: the schema that the code expects, expiry after what refers to it, data kept in production."""

from __future__ import annotations

from typing import Any

import pytest

from graphjobs.aws import schema
from graphjobs.aws.checkpoint_table import PREFIX as CHECKPOINT_PREFIX
from graphjobs.aws.input_bodies import PREFIX as INPUT_PREFIX
from graphjobs.aws.state_store import PREFIX as STATE_PREFIX
from graphjobs.core.job import EVENTS_KEEP_SECONDS
from graphjobs.core.slot import freeze
from tests.infra.template import Template

TABLES = {
    "Jobs": (schema.JOBS_TABLE, "expires_at"),
    "Events": (schema.EVENTS_TABLE, "expires_at"),
    "Checkpoints": (schema.CHECKPOINTS_TABLE, "ttl"),
}
DATA = ("AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::SQS::Queue", "AWS::Cognito::UserPool",
        "AWS::SecretsManager::Secret", "AWS::Logs::LogGroup")  # fmt: skip


def table(template: Template, name: str) -> dict[str, Any]:
    properties: dict[str, Any] = template.only("AWS::DynamoDB::Table", f"Storage{name}")["Properties"]
    return properties


def by_name(items: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    return sorted(items, key=lambda item: str(item[key]))


@pytest.mark.parametrize("name", TABLES)
def test_a_table_has_the_keys_and_indexes_that_the_code_reads_by(template: Template, name: str) -> None:
    made, (expected, _) = table(template, name), TABLES[name]
    assert made["KeySchema"] == expected["KeySchema"]
    assert by_name(made["AttributeDefinitions"], "AttributeName") == by_name(
        expected["AttributeDefinitions"], "AttributeName"
    )
    indexes = [
        {key: index[key] for key in ("IndexName", "KeySchema", "Projection")}
        for index in made.get("GlobalSecondaryIndexes", [])
    ]
    assert by_name(indexes, "IndexName") == by_name(expected.get("GlobalSecondaryIndexes", []), "IndexName")


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_on_demand_expires_its_items_and_can_be_restored(template: Template, name: str) -> None:
    made = table(template, name)
    assert made["BillingMode"] == "PAY_PER_REQUEST"
    assert made["TimeToLiveSpecification"] == {"AttributeName": TABLES[name][1], "Enabled": True}
    assert made["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True


def test_a_key_of_the_customers_own_encrypts_all_that_holds_data(template: Template, elsewhere: Template) -> None:
    key = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
    for kind, found in (
        ("AWS::DynamoDB::Table", lambda made: made["SSESpecification"].get("KMSMasterKeyId")),
        ("AWS::SQS::Queue", lambda made: made["KmsMasterKeyId"]),
        ("AWS::Logs::LogGroup", lambda made: made["KmsKeyId"]),
        ("AWS::SecretsManager::Secret", lambda made: made["KmsKeyId"]),
        ("AWS::Lambda::Function", lambda made: made["KmsKeyArn"]),
        ("AWS::S3::Bucket", lambda made: bucket_key(made)),
    ):
        assert {str(found(item["Properties"])) for item in elsewhere.of_type(kind).values()} == {key}, kind
    assert "KMSMasterKeyId" not in str(template.content)
    assert "KmsKeyArn" not in str(template.content)


def bucket_key(made: dict[str, Any]) -> str:
    (rule,) = made["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["BucketKeyEnabled"] is True, "else each object is a request to KMS"
    return str(rule["ServerSideEncryptionByDefault"]["KMSMasterKeyID"])


@pytest.mark.parametrize("name", TABLES)
def test_only_a_table_in_production_resists_deletion(template: Template, production: Template, name: str) -> None:
    assert table(production, name)["DeletionProtectionEnabled"] is True
    assert table(template, name).get("DeletionProtectionEnabled", False) is False


@pytest.mark.parametrize("kind", DATA)
def test_data_outlives_a_production_stack_and_goes_with_any_other(
    template: Template, production: Template, kind: str
) -> None:
    for found, policy in ((production, "Retain"), (template, "Delete")):
        resources = found.of_type(kind)
        assert resources
        for name, resource in resources.items():
            assert resource["DeletionPolicy"] == resource["UpdateReplacePolicy"] == policy, name


@pytest.mark.parametrize(("which", "job_days"), [("template", 7 + 1 + 7), ("elsewhere", 7 + 2 + 3)])
def test_an_object_outlives_the_slots_and_checkpoints_that_name_it(
    which: str, job_days: int, request: pytest.FixtureRequest
) -> None:
    found: Template = request.getfixturevalue(which)
    rules = found.only("AWS::S3::Bucket")["Properties"]["LifecycleConfiguration"]["Rules"]
    a_day_more = EVENTS_KEEP_SECONDS / 86_400
    for rule in rules:
        assert rule["Status"] == "Enabled"
        # The head of a thread is needed for as long as the thread is kept, and by a job that joins it at last.
        thread_days = 7 + 1 + 31 if rule["Prefix"] in (f"{CHECKPOINT_PREFIX}/", f"{STATE_PREFIX}/") else 0
        assert rule["ExpirationInDays"] >= max(job_days, thread_days) + a_day_more
        assert rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] == 1
    line = '{"seq":1,"type":"x","ts":"","data":"' + "".join(chr(33 + i * i % 90) for i in range(9)) + '"}'
    written = freeze("job-1", 1, [line], nonce="n", mark=None, expires_at=0)
    assert written.object_key is None, "small bodies are not in the bucket"
    assert {rule["Prefix"] for rule in rules} == {
        "events/",
        f"{INPUT_PREFIX}/",
        f"{CHECKPOINT_PREFIX}/",
        f"{STATE_PREFIX}/",
    }


def test_nobody_outside_reaches_the_bucket_and_nobody_without_tls(template: Template) -> None:
    bucket = template.only("AWS::S3::Bucket")["Properties"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    assert bucket["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    assert "BucketEncryption" in bucket
    (statement,) = template.only("AWS::S3::BucketPolicy")["Properties"]["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Action"]) == ("Deny", "s3:*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert len(statement["Resource"]) == 2


def test_a_stage_that_is_not_production_empties_its_bucket_before_deleting_it(
    template: Template, production: Template
) -> None:
    emptier = template.only("Custom::BucketObjects")
    assert emptier["Properties"]["Bucket"] == {"Ref": template.logical_id("AWS::S3::Bucket", "Storage")}
    assert template.logical_id("AWS::IAM::Role", "FunctionsEmptyBucketRole") in emptier["DependsOn"]
    assert not production.of_type("Custom::BucketObjects")
