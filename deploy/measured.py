"""What Lambda itself has noted of a stack's functions, and what of the account may stand in the stack's way.

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


def look(client: Callable[[str], Any], stack: str, now: Callable[[], float] = time.time) -> None:
    """Look at everything, and print a line for each.

    Raises:
        Failed: something is not as it must be; all has been looked at and printed.
        ClientError, BotoCoreError: it could not be looked at.
    """
    since = int((now() - DAY_SECONDS) * 1000)
    wrong = [limit.what for limit in (VIEWER_MEMORY, INIT, RESTORE) if not _holds(client, stack, limit, since)]
    if not _policies(client("logs")):
        wrong.append("resource policies")
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
    name = functions_of(client("cloudformation"), stack).get(function)
    if name is None:
        raise Failed(f"{stack} has no function {function.capitalize()}: is it one of graphjobs?")
    return str(client("lambda").get_function_configuration(FunctionName=name)["LoggingConfig"]["LogGroup"])


def _policies(logs: Any) -> bool:
    lengths = [
        len(policy["policyDocument"])
        for page in logs.get_paginator("describe_resource_policies").paginate()
        for policy in page["resourcePolicies"]
    ]
    longest = max(lengths, default=0)
    say(f"    resource policies of CloudWatch Logs: {longest} characters at most, of {POLICY_CHARACTERS}")
    return longest < POLICY_CHARACTERS
