"""The functions' code, run on moto with exactly the variables that are deployed: its AWS calls, as IAM sees them.

A call is recorded as (action, resource) in the words of `tests.infra.template`; what a function prints is kept too.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import botocore.client
import pytest

from graphjobs.observability import metrics as make_metrics
from graphjobs.observability import own_logger
from infra.environment import READS

Pairs = set[tuple[str, str]]

PARTS = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
}


def needed(service: str, operation: str, params: dict[str, Any]) -> Pairs:
    """What IAM asks for when `operation` is called with `params`."""
    if service == "dynamodb":
        return _of_dynamodb(operation, params)
    if service == "s3":
        if operation == "ListObjectsV2":
            return {("s3:ListBucket", "bucket")}
        if operation == "DeleteObjects":
            prefixes = {each["Key"].partition("/")[0] for each in params["Delete"]["Objects"]}
            return {("s3:DeleteObject", f"bucket/{prefix}/*") for prefix in prefixes}
        where = f"bucket/{params['Key'].partition('/')[0]}/*"
        pairs = {(f"s3:{operation.replace('HeadObject', 'GetObject')}", where)}
        return pairs | ({("s3:PutObjectTagging", where)} if "Tagging" in params else set())
    resource = {"sqs": "queue", "secretsmanager": "ticket_secret"}[service]
    return {(f"{service}:{operation}", resource)}


def _of_dynamodb(operation: str, params: dict[str, Any]) -> Pairs:
    if operation == "TransactWriteItems":
        parts = [(PARTS[kind], part["TableName"]) for item in params["TransactItems"] for kind, part in item.items()]
        return {(f"dynamodb:{action}", table) for action, table in parts}
    if operation in ("BatchGetItem", "BatchWriteItem"):
        return {(f"dynamodb:{operation}", table) for table in params["RequestItems"]}
    index = f"/index/{params['IndexName']}" if "IndexName" in params else ""
    return {(f"dynamodb:{operation}", params["TableName"] + index)}


@dataclass
class Recording:
    """What each function has called and printed."""

    calls: dict[str, Pairs] = field(default_factory=lambda: defaultdict(set))
    printed: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    meanwhile: dict[tuple[str, str], Callable[[], object]] = field(default_factory=dict)
    """What happens elsewhere, once, before the next such call; not recorded."""

    @contextlib.contextmanager
    def of(self, function: str, environ: dict[str, str]) -> Iterator[None]:
        """Record `function`; of `environ` it sees what a deployment would give it, and nothing else of ours."""
        text = io.StringIO()
        # All Metrics of a process share what was added and not yet written, by tests before this one too.
        make_metrics(function).clear_metrics()
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(text):
            patch.chdir(Path.cwd())  # the worker goes into the project's folder
            for name in [name for name in os.environ if name.startswith("GRAPHJOBS_")]:
                patch.delenv(name)
            for name in READS[function]:
                if f"GRAPHJOBS_{name}" in environ:
                    patch.setenv(f"GRAPHJOBS_{name}", environ[f"GRAPHJOBS_{name}"])
            patch.setattr(botocore.client.BaseClient, "_make_api_call", self._recording(function))
            # A logger that was made before writes to what was standard output then.
            for handler in own_logger(function).handlers:
                if isinstance(handler, logging.StreamHandler):
                    patch.setattr(handler, "stream", text)
            yield
        self.printed[function] += [json.loads(line) for line in text.getvalue().splitlines() if line.startswith("{")]

    def _recording(self, function: str) -> Any:
        original = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]

        elsewhere = threading.local()

        def call(client: Any, operation: str, params: dict[str, Any]) -> Any:
            if not getattr(elsewhere, "here", False):
                pairs = needed(client.meta.service_model.service_name, operation, params)
                self.calls[function] |= pairs
                for pair in pairs & set(self.meanwhile):
                    elsewhere.here = True
                    self.meanwhile.pop(pair)()
                    elsewhere.here = False
            return original(client, operation, params)

        return call

    def metrics(self) -> dict[tuple[str, str], str]:
        """(metric, service) of each metric that was written, and its unit."""
        found: dict[tuple[str, str], str] = {}
        for line in (line for lines in self.printed.values() for line in lines if "_aws" in line):
            for directive in line["_aws"]["CloudWatchMetrics"]:
                assert directive["Dimensions"] == [["service"]]
                found |= {(metric["Name"], line["service"]): metric["Unit"] for metric in directive["Metrics"]}
        return found

    def namespaces(self) -> set[str]:
        """Of all metrics that were written."""
        lines = [line for lines in self.printed.values() for line in lines if "_aws" in line]
        return {directive["Namespace"] for line in lines for directive in line["_aws"]["CloudWatchMetrics"]}

    def logged(self) -> list[dict[str, Any]]:
        """All log lines."""
        return [line for lines in self.printed.values() for line in lines if "_aws" not in line]
