"""The CDK app, which `cdk.json` names: reads the configuration, makes one stack, has cdk-nag look at it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from aws_cdk import App, CliCredentialsStackSynthesizer, Environment, Validations
from cdk_nag import AwsSolutionsChecks

from infra.bundling import ROOT, Bundler, BundleTooLarge
from infra.bytecode import BytecodeError
from infra.config import Config, ConfigError
from infra.graph_project import GraphProjectError, graph_project
from infra.stack import GraphJobsStack
from infra.uv import Platform, UvError


def build(context: Mapping[str, Any] | None = None, *, outdir: str | None = None) -> tuple[App, GraphJobsStack]:
    """The app and its stack; `context` is added to what the CDK command line gives.

    Raises:
        ConfigError, GraphProjectError: the configuration is wrong.
        UvError, BytecodeError, BundleTooLarge: a bundle cannot be made.
    """
    app = App(context=dict(context or {}), outdir=outdir)
    config = Config.from_context(app.node.get_all_context())
    project = graph_project(ROOT, config.graphs)
    stack = GraphJobsStack(
        app,
        f"graphjobs-{config.stage}",
        config,
        project,
        None if config.bundle == "none" else Bundler(_platform(config), project),
        env=Environment(
            account=os.environ.get("CDK_DEFAULT_ACCOUNT"),
            region=config.region or os.environ.get("CDK_DEFAULT_REGION"),
        ),
        synthesizer=CliCredentialsStackSynthesizer() if config.credentials == "cli" else None,
        termination_protection=config.production,
    )
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    return app, stack


def _platform(config: Config) -> Platform:
    if config.bundle == "host":
        return Platform.of_host()
    return Platform.of_lambda(config.runtime, config.architecture)


def main() -> int:
    """Synthesise; a wrong configuration is one line on standard error."""
    try:
        app, _ = build()
    except (ConfigError, GraphProjectError, UvError, BytecodeError, BundleTooLarge) as error:
        print(f"graphjobs: {error}", file=sys.stderr)
        return 1
    app.synth()
    return 0


if __name__ == "__main__":
    sys.exit(main())
