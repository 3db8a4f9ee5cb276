"""What Lambda and CloudWatch have noted of a stack's functions, and what of the account may stand in the stack's way.

Lambda writes a line of type ``platform.report`` per invocation, with what it cost
(https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from deploy.steps import Failed, say
from graphjobs.admin.deployment import functions_of

DAY_SECONDS: Final = 86_400


@dataclass(frozen=True, slots=True)
class Limit:
    """A figure of Lambda's reports and what it must stay under; the largest of a day counts.

    Attributes:
        function: its name in the manifest.
        metric: of ``record.metrics``.
        needed: whether there must be one, as there is after the acceptance tests.
    """

    what: str
    function: str
    metric: str
    below: float
    needed: bool = True


VIEWER_MEMORY: Final = Limit("memory of a viewer, MB", "stream", "maxMemoryUsedMB", 200)
INIT: Final = Limit("init phase of the worker, ms", "worker", "initDurationMs", 5_000, needed=False)
RESTORE: Final = Limit("restore of the worker by SnapStart, ms", "worker", "restoreDurationMs", 1_500, needed=False)
POLICY_CHARACTERS: Final = 5_120
"""Of one resource policy of CloudWatch Logs, to which each log group that a service delivers to is added."""

STREAM_METRICS: Final = ("DeliveryLag", "OpenStreams")
"""What the stream's process prints of itself, past Lambda's runtime."""
LISTED_TRIES: Final = 20
LISTED_PAUSE_SECONDS: Final = 15.0
"""CloudWatch lists a new metric some minutes after its first figure."""

TABLE_STREAM: Final = "publish_status"
"""Whoever reads the table's stream, where others are told."""


def look(
    client: Callable[[str], Any],
    stack: str,
    now: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Look at everything, and print a line for each.

    Raises:
        Failed: something is not as it must be; all has been looked at and printed.
        ClientError, BotoCoreError: it could not be looked at.
    """
    since = int((now() - DAY_SECONDS) * 1000)
    wrong = [limit.what for limit in (VIEWER_MEMORY, INIT, RESTORE) if not _holds(client, stack, limit, since)]
    if not _policies(client("logs")):
        wrong.append("resource policies")
    wrong += _not_listed(client, stack, sleep)
    if not _reads_the_table(client, stack):
        wrong.append("the table's stream")
    if wrong:
        raise Failed(f"Not as it must be: {'; '.join(wrong)}")


def _holds(client: Callable[[str], Any], stack: str, limit: Limit, since: int) -> bool:
    figures = list(_figures(client, stack, limit, since))
    if not figures:
        say(f"    {limit.what}: none in a day")
        return not limit.needed
    say(f"    {limit.what}: {max(figures):g} at most, in {len(figures)}; must be under {limit.below:g}")
    return max(figures) < limit.below


def _figures(client: Callable[[str], Any], stack: str, limit: Limit, since: int) -> Iterator[float]:
    pages = (
        client("logs")
        .get_paginator("filter_log_events")
        .paginate(
            logGroupName=_log_group(client, stack, limit.function),
            startTime=since,
            filterPattern='{ $.type = "platform.report" }',
        )
    )
    for page in pages:
        for event in page["events"]:
            metrics = json.loads(event["message"])["record"]["metrics"]
            if limit.metric in metrics:
                yield float(metrics[limit.metric])


def _log_group(client: Callable[[str], Any], stack: str, function: str) -> str:
    return str(_configuration(client, stack, function)["LoggingConfig"]["LogGroup"])


def _configuration(client: Callable[[str], Any], stack: str, function: str) -> Any:
    name = functions_of(client("cloudformation"), stack).get(function)
    if name is None:
        raise Failed(f"{stack} has no function {function.capitalize()}: is it one of graphjobs?")
    return client("lambda").get_function_configuration(FunctionName=name)


def _not_listed(client: Callable[[str], Any], stack: str, sleep: Callable[[float], None]) -> list[str]:
    """The metrics of the stream that CloudWatch does not list, and goes on not listing."""
    namespace = _configuration(client, stack, "stream")["Environment"]["Variables"]["POWERTOOLS_METRICS_NAMESPACE"]
    cloudwatch = client("cloudwatch")
    for tries_left in reversed(range(LISTED_TRIES)):
        missing = [
            name
            for name in STREAM_METRICS
            if not cloudwatch.list_metrics(Namespace=namespace, MetricName=name)["Metrics"]
        ]
        if not missing or not tries_left:
            break
        sleep(LISTED_PAUSE_SECONDS)
    for name in STREAM_METRICS:
        say(f"    {namespace} {name}: {'not listed' if name in missing else 'listed'}")
    return missing


def _reads_the_table(client: Callable[[str], Any], stack: str) -> bool:
    name = functions_of(client("cloudformation"), stack).get(TABLE_STREAM)
    if name is None:
        say("    the table's stream: nobody is told, and nobody reads it")
        return True
    (mapping,) = client("lambda").list_event_source_mappings(FunctionName=f"{name}:live")["EventSourceMappings"]
    state, result = mapping["State"], mapping.get("LastProcessingResult", "")
    say(f"    the table's stream: {state}, {result or 'not read yet'}")
    return bool(state == "Enabled" and result == "OK")


def _policies(logs: Any) -> bool:
    lengths = [
        len(policy["policyDocument"])
        for page in logs.get_paginator("describe_resource_policies").paginate()
        for policy in page["resourcePolicies"]
    ]
    longest = max(lengths, default=0)
    say(f"    resource policies of CloudWatch Logs: {longest} characters at most, of {POLICY_CHARACTERS}")
    return longest < POLICY_CHARACTERS
