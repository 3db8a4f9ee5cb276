"""The canary of a stage in production: its user is made with the stack, and goes with it."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from infra import empty_bucket, make_canary_user
from infra.config import Config, ConfigError
from tests.infra.conftest import Synth
from tests.infra.template import Template

LARGEST_INLINE = 4096
"""Characters of a function's code within a template."""

SECRET_ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:canary-AbCdEf"
OWN_ISSUER = {"issuer": "https://issuer.example.com", "audience": ("app",)}


def user() -> str:
    """The name of the canary's user."""
    from infra.canary import USER

    return USER


@pytest.fixture(scope="module")
def alone(synth: Synth) -> Template:
    """A stage in production of which nothing else was said."""
    return synth(stage="prod", account_concurrency=1000)


def test_production_has_a_canary_with_a_user_of_its_own(alone: Template) -> None:
    secret = alone.logical_id("AWS::SecretsManager::Secret", "CanaryCredentials")
    pool = alone.logical_id("AWS::Cognito::UserPool")
    assert alone.environment("canary")["GRAPHJOBS_CANARY_SECRET"] == {"Ref": secret}
    made = alone.only("Custom::CanaryUser")
    assert made["Properties"]["UserPool"] == {"Ref": pool} and made["Properties"]["Secret"] == {"Ref": secret}
    assert alone.logical_id("AWS::IAM::Role", "FunctionsMakeCanaryUserRole") in made["DependsOn"]
    assert [key for key in alone.of_type("AWS::Events::Rule") if key.startswith("Canary")]
    assert [key for key in alone.of_type("AWS::CloudWatch::Alarm") if key.startswith("AlarmsCanary")]


def test_its_user_is_made_by_a_function_that_may_do_that_alone(alone: Template) -> None:
    def may(function: str) -> set[str]:
        return {action for action, _ in alone.role(function) if not action.startswith("logs:")}

    assert may("make_canary_user") == {
        "cognito-idp:AdminCreateUser",
        "cognito-idp:AdminDeleteUser",
        "cognito-idp:AdminSetUserPassword",
        "secretsmanager:GetSecretValue",
    }
    assert may("canary") == {"secretsmanager:GetSecretValue"}
    everybody = {action for name in alone.functions() if name != "make_canary_user" for action in may(name)}
    assert not [action for action in everybody if action.startswith("cognito-idp:")]


def test_its_password_is_one_that_the_pool_takes_and_goes_with_its_user(alone: Template) -> None:
    secret = alone.resources[alone.logical_id("AWS::SecretsManager::Secret", "CanaryCredentials")]
    generated = secret["Properties"]["GenerateSecretString"]
    policy = alone.only("AWS::Cognito::UserPool")["Properties"]["Policies"]["PasswordPolicy"]
    assert generated["RequireEachIncludedType"] and not [key for key in generated if key.startswith("Exclude")]
    assert generated["PasswordLength"] >= policy["MinimumLength"]
    assert json.loads(generated["SecretStringTemplate"]) == {"username": user()}
    assert secret["DeletionPolicy"] == "Delete"


@pytest.mark.parametrize(
    ("given", "has"),
    [
        ({}, False),
        ({"canary": True}, True),
        ({"canary_secret": SECRET_ARN}, True),
        ({"stage": "prod"}, True),
        ({"stage": "production", "canary": False}, False),
        ({"stage": "prod", **OWN_ISSUER}, False),
        ({"stage": "prod", "canary_secret": SECRET_ARN, **OWN_ISSUER}, True),
    ],
)
def test_a_canary_is_in_production_and_where_it_is_asked_for(given: dict[str, Any], has: bool) -> None:
    config = Config(account_concurrency=1000, **given)
    assert config.has_canary == has == ("canary" in config.parts)


@pytest.mark.parametrize("given", [{"canary": True, **OWN_ISSUER}, {"canary": False, "canary_secret": SECRET_ARN}])
def test_a_canary_that_could_not_sing_is_refused_in_one_line(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"^canary_secret: [^\n]+$"):
        Config(**given)


def test_a_secret_of_ones_own_needs_no_user(production: Template) -> None:
    assert not production.of_type("Custom::CanaryUser")
    assert "make_canary_user" not in production.functions()


@pytest.mark.parametrize("module", ["empty_bucket", "make_canary_user"])
def test_a_custom_resource_is_one_file_that_needs_nothing_of_ours(module: str) -> None:
    from infra.lambda_factory import one_file

    code = one_file(module)
    assert len(code) <= LARGEST_INLINE
    names: dict[str, Any] = {}
    exec(compile(code, module, "exec"), names)  # as Lambda imports it
    assert callable(names["handler"]) and "infra" not in code


@pytest.fixture
def pool() -> Iterator[SimpleNamespace]:
    """A user pool and the secret, as the stack makes them."""
    with mock_aws():
        cognito = boto3.client("cognito-idp")
        pool_id = cognito.create_user_pool(PoolName="pool", UsernameAttributes=["email"])["UserPool"]["Id"]
        client = cognito.create_user_pool_client(
            UserPoolId=pool_id, ClientName="c", ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH"]
        )["UserPoolClient"]["ClientId"]
        text = json.dumps({"username": user(), "password": "aA1-of-the-canary"})
        arn = boto3.client("secretsmanager").create_secret(Name="canary", SecretString=text)["ARN"]
        yield SimpleNamespace(id=pool_id, client=client, secret=arn, cognito=cognito)


def event(kind: str, **properties: str) -> dict[str, Any]:
    return {
        "RequestType": kind,
        "ResourceProperties": properties,
        "ResponseURL": "https://cloudformation.example.com/answer",
        "LogicalResourceId": "User",
        "StackId": "s",
        "RequestId": "r",
    }


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What CloudFormation is told."""
    told: list[dict[str, Any]] = []

    def put(request: urllib.request.Request, timeout: float) -> Any:
        assert isinstance(request.data, bytes)
        told.append(json.loads(request.data))
        return SimpleNamespace(close=lambda: None)

    monkeypatch.setattr(urllib.request, "urlopen", put)
    return told


CONTEXT = SimpleNamespace(log_stream_name="stream")


def test_the_user_is_made_once_and_signs_in_with_the_secret(
    pool: SimpleNamespace, answers: list[dict[str, Any]]
) -> None:
    asked = {"UserPool": pool.id, "Secret": pool.secret}
    for kind in ("Create", "Update"):
        make_canary_user.handler(event(kind, **asked), CONTEXT)
    signed_in = pool.cognito.initiate_auth(
        ClientId=pool.client,
        AuthFlow="USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": user(), "PASSWORD": "aA1-of-the-canary"},
    )
    assert signed_in["AuthenticationResult"]["AccessToken"]
    assert len(pool.cognito.list_users(UserPoolId=pool.id)["Users"]) == 1
    for _ in range(2):
        make_canary_user.handler(event("Delete", **asked), CONTEXT)
    assert pool.cognito.list_users(UserPoolId=pool.id)["Users"] == []
    assert [each["Status"] for each in answers] == ["SUCCESS"] * 4
    assert "aA1-of-the-canary" not in json.dumps(answers)


def test_cloudformation_is_told_why_a_user_cannot_be_made(pool: SimpleNamespace, answers: list[dict[str, Any]]) -> None:
    make_canary_user.handler(event("Create", UserPool="us-east-1_none", Secret=pool.secret), CONTEXT)
    assert answers[0]["Status"] == "FAILED" and "ResourceNotFoundException" in answers[0]["Reason"]


def test_a_bucket_is_emptied_when_it_goes_and_not_before(answers: list[dict[str, Any]]) -> None:
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="payloads")
        s3.put_object(Bucket="payloads", Key="events/1", Body=b"x")
        for kind, left in (("Create", 1), ("Update", 1), ("Delete", 0), ("Delete", 0)):
            empty_bucket.handler(event(kind, Bucket="payloads"), CONTEXT)
            assert s3.list_objects_v2(Bucket="payloads")["KeyCount"] == left
    assert [each["Status"] for each in answers] == ["SUCCESS"] * 4
