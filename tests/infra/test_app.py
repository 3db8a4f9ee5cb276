"""What the app asks of the account and says to the person before it synthesises."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphjobs.core import langgraph_json
from infra import account
from infra.config import ConfigError
from infra.installed import ROOT
from tests.infra.conftest import Synth
from tests.infra.synthesis import build
from tests.infra.template import Template


def reserved(tmp_path: Path, context: dict[str, object], asked: int | None) -> object:
    """What is reserved for the stream when the account answers `asked`."""
    app, stack = build({"bundle": "none", **context}, outdir=str(tmp_path), quota=lambda region: asked)
    template = Template(app.synth().get_stack_by_name(stack.stack_name).template)
    return template.function("stream").get("ReservedConcurrentExecutions")


def test_the_quota_is_that_of_the_account_if_nobody_says_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reserved(tmp_path, {}, 1_000) == 250
    assert "account_concurrency: 1000, as the account says" in capsys.readouterr().err


def test_what_is_given_is_not_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert reserved(tmp_path, {"account_concurrency": 400}, 1_000) == 100
    assert "account_concurrency" not in capsys.readouterr().err


def test_an_account_that_cannot_be_asked_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reserved(tmp_path, {}, None) is None
    assert capsys.readouterr().err.count("account_concurrency") == 1


def test_without_credentials_of_the_command_line_nothing_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CDK_DEFAULT_ACCOUNT", raising=False)
    monkeypatch.setattr("infra.account.boto3.client", lambda *given, **named: pytest.fail("called"))
    assert account.lambda_quota("eu-west-1") is None


@pytest.mark.parametrize(("own", "expected"), [("123456789012", 1_000), ("999999999999", None)])
def test_credentials_of_another_account_say_nothing_of_this_one(
    own: str, expected: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Client:
        def get_caller_identity(self) -> dict[str, str]:
            return {"Account": own}

        def get_account_settings(self) -> dict[str, dict[str, int]]:
            return {"AccountLimit": {"ConcurrentExecutions": 1_000}}

    monkeypatch.setenv("CDK_DEFAULT_ACCOUNT", "123456789012")
    monkeypatch.setattr("infra.account.boto3.client", lambda *given, **named: Client())
    assert account.lambda_quota("eu-west-1") == expected


def test_a_region_of_another_partition_wants_a_layer_of_ones_own(tmp_path: Path) -> None:
    context = {"bundle": "none", "region": "cn-north-1", "account_concurrency": 10}
    with pytest.raises(ConfigError, match="adapter_layer_arn"):
        build(context, outdir=str(tmp_path))
    layer = "arn:aws-cn:lambda:cn-north-1:123456789012:layer:Adapter:1"
    build({**context, "adapter_layer_arn": layer}, outdir=str(tmp_path))


@pytest.mark.parametrize(("region", "said"), [("me-south-1", True), ("eu-west-1", False)])
def test_a_region_without_a_known_layer_is_spoken_of(
    region: str, said: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build({"bundle": "none", "region": region, "account_concurrency": 10}, outdir=str(tmp_path))
    assert ("adapter_layer_arn" in capsys.readouterr().err) is said


def test_the_keys_of_the_persons_own_file_stop_no_synthesis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    (tmp_path / ".cdk.json").write_text('{"context": {"of-another-app": 1}}')
    build({"bundle": "none", "of-another-app": 1, "account_concurrency": 10}, outdir=str(tmp_path / "out"))
    (tmp_path / ".cdk.json").write_text("not json")
    with pytest.raises(ConfigError, match="of-another-app"):
        build({"bundle": "none", "of-another-app": 1, "account_concurrency": 10}, outdir=str(tmp_path / "out"))


@pytest.mark.parametrize(
    "path", sorted((ROOT / "examples").glob("*/langgraph.json")), ids=lambda path: path.parent.name
)
def test_every_example_is_synthesised(synth: Synth, path: Path) -> None:
    """Its bundle is made by tests/infra/test_project_bundles.py; here is the stack around it."""
    template = synth(graphs=str(path.relative_to(ROOT)))
    names = langgraph_json.read(path).names
    worker = template.function("worker")["Environment"]["Variables"]
    assert template.function("create_job")["Environment"]["Variables"]["GRAPHJOBS_GRAPHS"] == ",".join(names)
    assert worker["GRAPHJOBS_CONFIG"].endswith("langgraph.json")
