"""Which deployment is meant: a stack, what the environment names, or the local instance of this folder."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from graphjobs.aws import clients
from graphjobs.aws.backend import Backend
from graphjobs.cli.target import state_dir
from graphjobs.cli.terminal import program
from graphjobs.client.errors import ConfigurationError
from graphjobs.core.manifest import FUNCTIONS
from graphjobs.core.settings import PREFIX, Settings, SettingsError

WORKER: Final = FUNCTIONS["worker"]
"""The function whose settings say where everything is, and how a job's life is bounded."""

ALIAS: Final = "live"
FUNCTION: Final = "AWS::Lambda::Function"
NOT_CONFIGURED: Final = (
    "No deployment is named: give --stack, or start a local instance in this folder with `{program} local`."
)


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployment.

    Attributes:
        backend: its stores, with the settings that its worker has.
        stack: the name of its stack; None if it was not found by one.
        folder: of a local instance; None for any other.
    """

    backend: Backend
    stack: str | None = None
    folder: Path | None = None


def find(stack: str | None, environ: Mapping[str, str]) -> Deployment:
    """The deployment that `stack` names, else `environ`, else the local instance.

    Raises:
        ConfigurationError: there is none, or its settings cannot be used.
        ClientError, BotoCoreError: as CloudFormation or Lambda answer.
    """
    try:
        if stack is not None:
            return Deployment(Backend(_settings(of_stack(stack))), stack=stack)
        if environ.get(f"{PREFIX}JOBS_TABLE"):
            return Deployment(Backend(_settings(environ)))
        folder = state_dir(environ)
        facts = _local(folder)
    except SettingsError as error:
        raise ConfigurationError(str(error)) from error
    # The clients of this process are for this instance's emulator.
    os.environ[clients.ENDPOINT_VARIABLE] = facts["aws_endpoint_url"]
    return Deployment(Backend(_settings(facts["settings"])), folder=folder)


def _settings(environ: Mapping[str, str]) -> Settings:
    return Settings.from_env(environ, required=WORKER.needs)


def of_stack(stack: str) -> dict[str, str]:
    """The variables that the stack's worker runs with.

    Raises:
        ConfigurationError: the stack has no worker, or its variables are not to be read.
        ClientError, BotoCoreError: as CloudFormation or Lambda answer.
    """
    name = functions_of(clients.cloudformation(), stack).get(WORKER.name)
    if name is None:
        raise ConfigurationError(f"The stack {stack} has no worker: it is no deployment of graphjobs.")
    answer = clients.lambda_().get_function_configuration(FunctionName=name, Qualifier=ALIAS)
    environment = answer.get("Environment", {})
    if "Error" in environment:
        raise ConfigurationError(f"The variables of {name} cannot be read: {environment['Error'].get('Message')}")
    return dict(environment.get("Variables", {}))


def functions_of(cloudformation: Any, stack: str) -> dict[str, str]:
    """The stack's functions, as far as it has them: their names in AWS by their names in the manifest."""
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
    resources = [each for page in pages for each in page["StackResourceSummaries"] if each["ResourceType"] == FUNCTION]
    found = {}
    for name in FUNCTIONS:
        prefix = "Functions" + "".join(part.capitalize() for part in name.split("_")) + "Function"
        for each in resources:
            if each["LogicalResourceId"].startswith(prefix):
                found[name] = str(each["PhysicalResourceId"])
    return found


def _local(folder: Path) -> dict[str, Any]:
    """What the local instance in `folder` says of itself."""
    path = folder / "local.json"
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(NOT_CONFIGURED.format(program=program())) from None
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error
    if not isinstance(facts, dict) or not {"aws_endpoint_url", "settings"} <= facts.keys():
        raise ConfigurationError(f"{path} does not say where its tables are: restart the local instance.")
    return facts
