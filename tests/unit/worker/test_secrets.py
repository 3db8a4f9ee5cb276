"""Secrets of the user's graphs reach the environment, whole or a member of them, and no message."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from graphjobs.worker.secrets import SecretUnreadable, load_secrets


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield boto3.client("secretsmanager", region_name="us-east-1")


def arn(client: Any, name: str, text: str) -> str:
    return str(client.create_secret(Name=name, SecretString=text)["ARN"])


def test_a_secret_is_a_text_or_a_member_of_a_json_text(client: Any) -> None:
    plain = arn(client, "plain", "sk-1")
    keys = arn(client, "keys", json.dumps({"openai": "sk-2", "tavily": "tv-3"}))
    environ = {"PLAIN": "before", "OTHER": "stays"}
    load_secrets(json.dumps({"PLAIN": plain, "OPENAI": f"{keys}:openai", "TAVILY": f"{keys}:tavily"}), client, environ)
    assert environ == {"PLAIN": "sk-1", "OPENAI": "sk-2", "TAVILY": "tv-3", "OTHER": "stays"}


def test_without_any_nothing_is_read() -> None:
    environ: dict[str, str] = {}
    nobody: Any = None
    load_secrets("", nobody, environ)
    assert environ == {}


@pytest.mark.parametrize("text", ['{"openai": "sk-secret"}', "sk-secret", '{"missing": 1, "openai": "sk-secret"}'])
def test_a_member_that_is_not_there_is_said_without_anything_of_the_secret(client: Any, text: str) -> None:
    with pytest.raises(SecretUnreadable, match="KEY") as error:
        load_secrets(json.dumps({"KEY": arn(client, "keys", text) + ":missing"}), client, dict(os.environ))
    assert "sk-secret" not in str(error.value)


def test_a_secret_that_may_not_be_read_stops_the_start(client: Any) -> None:
    nowhere = "arn:aws:secretsmanager:us-east-1:123456789012:secret:gone-AbCdEf"
    with pytest.raises(ClientError):
        load_secrets(json.dumps({"KEY": nowhere}), client, {})
