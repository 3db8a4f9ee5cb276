"""Synthesis without bundling, once for each configuration that a test asks for, however many processes ask."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import pickle
import subprocess
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from graphjobs.packages import uv
from graphjobs.packages.uv import Platform

os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "1")
# CDK's own look at a template takes six seconds to start and says nothing but warnings: here cfn-lint looks at it.
os.environ["CDK_VALIDATION"] = "false"

from tests.infra.alone import Alone, interpreters
from tests.infra.template import Template

if TYPE_CHECKING:
    from tests.infra.recorded import Recording

Synth = Callable[..., Template]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "bundles: installs packages with uv, from its cache or the registry")


def shared(folder: pytest.TempPathFactory) -> Path:
    """The folder that all processes of this run of pytest share."""
    base = folder.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


def once(folder: pytest.TempPathFactory, name: str, make: Callable[[], Any]) -> Any:
    """What `make` returns, made by the first of the processes of this run of pytest that asks for it."""
    kept = shared(folder) / f"infra-{hashlib.sha256(name.encode()).hexdigest()[:16]}.pickle"
    with kept.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            kept.write_bytes(pickle.dumps(make()))
    return pickle.loads(kept.read_bytes())


@pytest.fixture(scope="session", autouse=True)
def uv_asks_the_registry_once() -> Iterator[None]:
    """After the first resolution uv has what it needs in its cache, and asks the registry only for what is not there.

    Where the registry lets nobody keep its answers, each call would ask for each package anew.
    """
    asks, asked = uv._call, False

    def call(arguments: Sequence[str], cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        nonlocal asked
        if asked:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("UV_OFFLINE", "1")
                done = asks(arguments, cwd)
            if done.returncode == 0:
                return done
        done = asks(arguments, cwd)
        asked |= arguments[:2] == ["pip", "compile"] and done.returncode == 0
        return done

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(uv, "_call", call)
        yield


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build folder: of this process, but for installed packages, which all processes of this run share."""
    folder, host = tmp_path_factory.mktemp("build"), Platform.of_host()
    dependencies = shared(tmp_path_factory) / "dependencies"
    dependencies.mkdir(exist_ok=True)
    bundles = folder / f"{host.name or 'host'}-{host.python}"
    bundles.mkdir()
    (bundles / "dependencies").symlink_to(dependencies)
    return folder


@pytest.fixture(scope="session")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alone]:
    """Runs code with a bundle alone."""
    with interpreters(tmp_path_factory.mktemp("alone")) as run:
        yield run


@pytest.fixture(scope="session")
def synth(tmp_path_factory: pytest.TempPathFactory) -> Synth:
    """`synth(stage="prod", ...)`: the template of that configuration; cdk-nag has passed it."""

    def make(context: str) -> Template:
        from infra.app import build

        folder = tmp_path_factory.mktemp("cdk")
        app, stack = build({**json.loads(context), "bundle": "none"}, outdir=str(folder))
        artifact = app.synth().get_stack_by_name(stack.stack_name)
        metadata = json.loads((folder / f"{stack.stack_name}.metadata.json").read_text())
        entries = [entry for entries in metadata.values() for entry in entries]
        rules = [entry["data"] for entry in entries if entry["type"] == "aws:cdk:acknowledged-rules"]
        return Template(artifact.template, tuple((rule, reason) for each in rules for rule, reason in each.items()))

    @lru_cache
    def get(context: str) -> Template:
        found: Template = once(tmp_path_factory, context, lambda: make(context))
        return found

    return lambda **context: get(json.dumps(context, sort_keys=True))


@pytest.fixture(scope="session")
def template(synth: Synth) -> Template:
    """The template of the default configuration."""
    return synth()


@pytest.fixture(scope="session")
def production(synth: Synth) -> Template:
    """The template of a production stage, with everything that can be configured."""
    context: dict[str, Any] = {
        "stage": "prod",
        "account_concurrency": 1000,
        "worker_max_concurrency": 300,
        "stream_reserved_concurrency": 200,
        "api_reserved_concurrency": 20,
        "snap_start": True,
        "alarm_email": "ops@example.com",
        "budget_usd": 500,
        "canary_secret": "arn:aws:secretsmanager:us-east-1:123456789012:secret:canary-AbCdEf",
        "model": "bedrock_converse:eu.maker.model-v1:0",
        "cors_origins": ["https://app.example.com"],
        "event_bus": "default",
        "webhooks": True,
    }
    return synth(**context)


@pytest.fixture(scope="session")
def elsewhere(synth: Synth) -> Template:
    """The template of a second stage with another issuer, region and architecture, and numbers of its own."""
    return synth(
        stage="two",
        region="eu-west-1",
        issuer="https://issuer.example.com/",
        audience=["app", "machine"],
        admin_claim="cognito:groups",
        admin_value="graphjobs-admins",
        cors_origins=[],
        architecture="x86_64",
        runtime="python3.12",
        adapter_layer_version=20,
        stream_url="https://stream.example.com/",
        worker_timeout_seconds=300,
        stream_window_seconds=60,
        max_timeout_seconds=90_000,
        retention_days=3,
        lease_seconds=20,
        heartbeat_seconds=5,
        reconcile_minutes=5,
        throttle_rate=7,
        throttle_burst=9,
        log_retention_days=90,
        worker_memory_mb=2048,
        worker_environment={"TAVILY_REGION": "eu"},
        worker_secrets={
            "OPENAI_API_KEY": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:keys-AbCdEf:openai",
            "TAVILY_API_KEY": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:keys-AbCdEf:tavily::",
            "OTHER": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:other-123456",
        },
        xray=True,
        kms_key_arn="arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555",
        worker_policies=["arn:aws:iam::123456789012:policy/mine", "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"],
    )


@pytest.fixture(scope="session")
def fronted(synth: Synth) -> Template:
    """The template of a stage whose stream is behind an API Gateway."""
    return synth(
        stage="gov",
        region="eu-west-1",
        account_concurrency=1000,
        stream_front="rest_api",
        web_acl_arn="arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/all/11111111-2222-3333-4444-555555555555",
        cors_origins=["https://app.example.com"],
        stream_window_seconds=840,
        throttle_rate=7,
        throttle_burst=9,
    )


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """What the functions' code calls and prints."""
    from tests.infra.scenario import run

    made: Recording = once(tmp_path_factory, "recording", lambda: run(tmp_path_factory.mktemp("scenario")))
    return made
