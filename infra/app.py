"""The CDK app, which `cdk.json` names: reads the configuration, makes one stack, has cdk-nag look at it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from aws_cdk import App, CliCredentialsStackSynthesizer, Environment, Validations
from cdk_nag import AwsSolutionsChecks

from graphjobs.core.manifest import FUNCTIONS
from graphjobs.packages.uv import Platform, UvError
from infra.account import lambda_quota
from infra.bundling import LARGEST_IMAGE, LARGEST_OF_LAMBDA, Bundle, Bundler, BundleTooLarge
from infra.bytecode import BytecodeError
from infra.config import RUNTIMES, Config, ConfigError
from infra.graph_check import SECRET, check_graphs
from infra.graph_project import GraphProject, GraphProjectError, graph_project
from infra.installed import ROOT, WORKER
from infra.permissions import bedrock_advice
from infra.regions import ADAPTER_REGIONS, NO_ADAPTER_LAYER
from infra.stack import GraphJobsStack


def build(
    context: Mapping[str, Any] | None = None,
    *,
    outdir: str | None = None,
    quota: Callable[[str], int | None] = lambda_quota,
) -> tuple[App, GraphJobsStack]:
    """The app and its stack; `context` is added to what the CDK command line gives.

    Args:
        context: keys as with ``-c``.
        outdir: where the assembly is written.
        quota: asks the account for its Lambda quota in a region, if `account_concurrency` is not given.

    Raises:
        ConfigError, GraphProjectError: the configuration is wrong.
        UvError, BytecodeError, BundleTooLarge: a bundle cannot be made.
    """
    app = App(context=dict(context or {}), outdir=outdir)
    given = app.node.get_all_context()
    region = str(given.get("region") or os.environ.get("CDK_DEFAULT_REGION") or "")
    config = Config.from_context(_with_quota(given, region, quota), foreign=_keys_of_the_user())
    _advise(config, region)
    project = graph_project(ROOT, config.graphs, deploy_env_file=config.deploy_env_file)
    if "runtime" not in given:
        config = replace(config, runtime=_runtime(config, project))
    bundler = None if config.bundle == "none" else _bundler(config, project)
    stack = GraphJobsStack(
        app,
        f"graphjobs-{config.stage}",
        config,
        bundler.project if bundler else project,
        _bundles(config, bundler) if bundler else None,
        env=Environment(account=os.environ.get("CDK_DEFAULT_ACCOUNT"), region=region or None),
        synthesizer=CliCredentialsStackSynthesizer() if config.credentials == "cli" else None,
        termination_protection=config.production,
    )
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    return app, stack


def _with_quota(given: Mapping[str, Any], region: str, quota: Callable[[str], int | None]) -> dict[str, Any]:
    """The context, with what the account says where nothing is given."""
    if given.get("account_concurrency") not in ("", None):
        return dict(given)
    asked = quota(region)
    if asked is None:
        _say("account_concurrency is not given and the account cannot be asked: planned for 10 (docs/DEPLOY.md, 1).")
        return dict(given)
    _say(f"account_concurrency: {asked}, as the account says.")
    return {**given, "account_concurrency": asked}


def _keys_of_the_user() -> frozenset[str]:
    """The context keys of the person's own ~/.cdk.json, which are meant for all of that person's apps."""
    try:
        named = json.loads((Path.home() / ".cdk.json").read_text(encoding="utf-8")).get("context", {})
    except (OSError, ValueError, AttributeError):
        return frozenset()
    return frozenset(named) if isinstance(named, dict) else frozenset()


def _advise(config: Config, region: str) -> None:
    if not config.adapter_layer_arn:
        if region.startswith(NO_ADAPTER_LAYER):
            raise ConfigError(f"adapter_layer_arn: AWS publishes no adapter layer in {region}; give one of yours.")
        if region and region not in ADAPTER_REGIONS:
            _say(f"adapter_layer_arn: no layer is known in {region}; should the deployment fail, give your own.")
    if config.production and not config.has_canary:
        missing = "canary is false" if config.canary is False else "canary_secret is not given"
        _say(f"{missing}: nothing tries this deployment out by itself (docs/DEPLOY.md, 4).")
    advice = bedrock_advice(config.model)
    if advice:
        _say(advice)


def _bundles(config: Config, bundler: Bundler) -> dict[str, Bundle]:
    bundles = {}
    for name, spec in FUNCTIONS.items():
        if spec.part and spec.part not in config.parts:
            continue
        bundles[name] = bundler.bundle(name)
        print(bundles[name])
    if config.check_graphs:
        worker = bundles[WORKER]
        secrets = {name: SECRET for name, _ in config.worker_secrets}
        variables = {**dict(config.worker_environment), **secrets}
        check_graphs(worker.folder, bundler.project, bundler.packages_of(worker), variables, _say)
    return bundles


def _say(line: str) -> None:
    print(f"graphjobs: {line}", file=sys.stderr)


def _runtime(config: Config, project: GraphProject) -> str:
    """The runtime of the project's ``python_version`` where that is one of ours, else the default one."""
    version = project.file.python_version
    if version is None or f"python{version}" == config.runtime:
        return config.runtime
    if f"python{version}" in RUNTIMES:
        return f"python{version}"
    _say(f"python_version {version} is no runtime here ({', '.join(RUNTIMES)}): {config.runtime} is taken.")
    return config.runtime


def _bundler(config: Config, project: GraphProject) -> Bundler:
    limit = LARGEST_IMAGE if config.worker_package == "image" else LARGEST_OF_LAMBDA
    return Bundler(_platform(config), project, write_lock=config.write_lock, worker_limit=limit)


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
