"""`make smoke`: what it reads of a stack, whose tokens it uses, what it leaves behind."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy import acceptance, smoke
from deploy.acceptance import target
from deploy.smoke import tokens_for
from deploy.steps import Failed
from deploy.users import temporary_users
from graphjobs.testing.aws import client, empty_aws

OUTPUTS = {
    "ApiUrl": "https://api.example.com",
    "StreamUrl": "https://stream.example.com",
    "JobsTable": "jobs",
    "EventsTable": "events",
    "PayloadBucket": "payloads",
    "QueueUrl": "https://queue.example.com",
    "Issuer": "https://issuer.example.com",
}


@pytest.fixture
def cognito() -> Iterator[Any]:
    with empty_aws():
        yield client("cognito-idp")


@pytest.fixture
def pool(cognito: Any) -> dict[str, str]:
    """A pool like that of the stack."""
    pool_id = cognito.create_user_pool(PoolName="users", UsernameAttributes=["email"])["UserPool"]["Id"]
    client = cognito.create_user_pool_client(
        UserPoolId=pool_id, ClientName="tests", ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH"]
    )
    return {"UserPoolId": pool_id, "UserPoolClientId": client["UserPoolClient"]["ClientId"]}


def users_of(cognito: Any, pool: dict[str, str]) -> list[Any]:
    return list(cognito.list_users(UserPoolId=pool["UserPoolId"])["Users"])


def test_two_different_users_exist_for_the_time_of_the_tests(cognito: Any, pool: dict[str, str]) -> None:
    with temporary_users(cognito, pool["UserPoolId"], pool["UserPoolClientId"]) as tokens:
        assert set(tokens) == {"user-1", "user-2"}
        names = {cognito.get_user(AccessToken=token)["Username"] for token in tokens.values()}
        assert len(names) == 2
    assert users_of(cognito, pool) == []


def test_the_users_are_deleted_when_the_tests_fail(cognito: Any, pool: dict[str, str]) -> None:
    with pytest.raises(Failed), temporary_users(cognito, pool["UserPoolId"], pool["UserPoolClientId"]):
        assert len(users_of(cognito, pool)) == 2
        raise Failed("a test failed")
    assert users_of(cognito, pool) == []


def test_a_user_is_deleted_when_it_gets_no_token(cognito: Any, pool: dict[str, str]) -> None:
    refused = pytest.raises(cognito.exceptions.ResourceNotFoundException)
    with refused, temporary_users(cognito, pool["UserPoolId"], "no-such-client"):
        pytest.fail("there can be no tokens")
    assert users_of(cognito, pool) == []


def no_client(service: str) -> Any:
    pytest.fail(f"{service} must not be called")


def test_given_tokens_come_first() -> None:
    given = {"GRAPHJOBS_TOKEN": "one", "GRAPHJOBS_OTHER_TOKEN": "other"}
    with tokens_for({**OUTPUTS, "UserPoolId": "pool"}, given, no_client) as tokens:
        assert tokens == {"user-1": "one", "user-2": "other"}


@pytest.mark.parametrize("given", [{}, {"GRAPHJOBS_TOKEN": "one"}])
def test_another_issuers_stack_needs_both_tokens(given: dict[str, str]) -> None:
    refused = pytest.raises(Failed, match=r"GRAPHJOBS_TOKEN and GRAPHJOBS_OTHER_TOKEN.*issuer\.example\.com")
    with refused, tokens_for(OUTPUTS, given, no_client):
        pytest.fail("there are no tokens")


def test_what_is_stored_is_in_the_target_only_with_access_to_it() -> None:
    tokens = {"user-1": "one", "user-2": "other"}
    assert target(OUTPUTS, tokens) == {
        "api_url": OUTPUTS["ApiUrl"],
        "stream_url": OUTPUTS["StreamUrl"],
        "tokens": tokens,
    }
    described = target(OUTPUTS, tokens, access={"aws_profile": "test", "region": "eu-west-1"})
    assert (described["jobs_table"], described["queue_url"]) == ("jobs", "https://queue.example.com")


def test_a_stack_of_something_else_is_refused() -> None:
    with pytest.raises(Failed, match="no output ApiUrl"):
        target({"BucketName": "assets"}, {})


def test_a_stack_that_does_not_exist_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with empty_aws():
        assert smoke.main(["no-such-stack"]) == 1
    assert "no-such-stack" in capsys.readouterr().out


@pytest.fixture
def fake_pytest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """In place of pytest: notes what it was given, and ends as its last argument says."""
    script = tmp_path / "pytest-in-place"
    script.write_text(
        f"#!{sys.executable}\n"
        "import json, os, pathlib, sys\n"
        "target = pathlib.Path(os.environ['GRAPHJOBS_E2E_TARGET'])\n"
        "seen = {'target': json.loads(target.read_text()), 'mode': target.stat().st_mode & 0o777}\n"
        f"pathlib.Path({str(tmp_path / 'seen.json')!r}).write_text(json.dumps(seen))\n"
        "sys.exit(int(sys.argv[-1]))\n"
    )
    script.chmod(0o755)
    monkeypatch.setattr(acceptance, "sys", type("Sys", (), {"executable": str(script)}))
    return tmp_path / "seen.json"


def test_the_tests_get_the_target_which_nobody_else_can_read_and_is_gone_after(
    fake_pytest: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    acceptance.run_tests({"tokens": {"user-1": "secret"}}, folder, ["0"])
    seen = json.loads(fake_pytest.read_text())
    assert seen == {"target": {"tokens": {"user-1": "secret"}}, "mode": 0o600}
    assert list(folder.iterdir()) == []


def test_a_failing_test_fails_the_run_and_leaves_no_token_behind(fake_pytest: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    with pytest.raises(Failed, match="exit code 1"):
        acceptance.run_tests({"tokens": {"user-1": "secret"}}, folder, ["1"])
    assert list(folder.iterdir()) == []
