"""Synthesis without bundling, once for each configuration that a test asks for."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import pytest

os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "1")

from tests.infra.template import Template

Synth = Callable[..., Template]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "registry: needs the package registry, or a warm uv cache")


@pytest.fixture(scope="session")
def synth(tmp_path_factory: pytest.TempPathFactory) -> Synth:
    """`synth(stage="prod", ...)`: the template of that configuration; cdk-nag has passed it."""

    @lru_cache
    def make(context: str) -> Template:
        from infra.app import build

        app, stack = build({**json.loads(context), "bundle": "none"}, outdir=str(tmp_path_factory.mktemp("cdk")))
        return Template(app.synth().get_stack_by_name(stack.stack_name).template)

    return lambda **context: make(json.dumps(context, sort_keys=True))


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
        "model": "bedrock_converse:eu.maker.model-v1:0",
        "cors_origins": ["https://app.example.com"],
    }
    return synth(**context)
