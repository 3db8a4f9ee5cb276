"""The log lines of one job: from CloudWatch Logs for a stack, from the files of its folder for a local instance.

CloudWatch is asked for lines that name the job, in the groups of the stack's functions and within a stretch of time:
that costs nothing but time, unlike a query of Logs Insights. What Lambda itself says of an invocation (out of memory,
time is over) names no job, so for each invocation that has claimed the job and not said how it let go, it is asked
for by the request's id.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from graphjobs.aws import clients
from graphjobs.local.state import LOGS

if TYPE_CHECKING:
    from graphjobs.admin.deployment import Deployment

LOG_GROUP: Final = "AWS::Logs::LogGroup"
CLAIMED: Final = "claimed"
LET_GO: Final = frozenset({"finished", "released"})
REQUEST: Final = "function_request_id"
REPORT: Final = "platform.report"


@dataclass(frozen=True, slots=True)
class Line:
    """One log line: when (epoch milliseconds), who wrote it, and its members."""

    at: int
    source: str
    members: dict[str, Any]


def log_lines(deployment: Deployment, job_id: str, since: int, until: int) -> list[Line]:
    """The lines that name the job, between two times in epoch milliseconds, and of invocations that broke off under it.

    Raises:
        ClientError, BotoCoreError: as CloudFormation or CloudWatch answer.
    """
    if deployment.folder is not None:
        return list(_local(deployment.folder / LOGS, job_id))
    if deployment.stack is None:
        return []  # tables alone were named: nobody knows who logs
    return [line for group in log_groups(deployment.stack) for line in _deployed(group, job_id, since, until)]


def _deployed(group: str, job_id: str, since: int, until: int) -> Iterator[Line]:
    lines = list(_found(group, job_id, since, until))
    yield from lines
    for request in broken_off(lines):
        yield from (line for line in _found(group, request, since, until) if line.members.get("type") == REPORT)


def broken_off(lines: Iterable[Line]) -> list[str]:
    """The requests that have claimed the job and have not said how they let go of it."""
    claimed: list[str] = []
    let_go = set()
    for line in lines:
        request, message = line.members.get(REQUEST), line.members.get("message")
        if request and message == CLAIMED:
            claimed.append(request)
        elif request and message in LET_GO:
            let_go.add(request)
    return [request for request in claimed if request not in let_go]


def log_groups(stack: str) -> list[str]:
    """Where the stack's functions log."""
    pages = clients.cloudformation().get_paginator("list_stack_resources").paginate(StackName=stack)
    return [
        str(each["PhysicalResourceId"])
        for page in pages
        for each in page["StackResourceSummaries"]
        if each["ResourceType"] == LOG_GROUP and each["LogicalResourceId"].startswith("Functions")
    ]


def _found(group: str, term: str, since: int, until: int) -> Iterator[Line]:
    pages = (
        clients.logs()
        .get_paginator("filter_log_events")
        .paginate(logGroupName=group, startTime=since, endTime=until, filterPattern=f'"{term}"')
    )
    for page in pages:
        for event in page["events"]:
            members = members_of(event["message"])
            yield Line(event["timestamp"], str(members.get("service") or "lambda"), members)


def _local(folder: Path, job_id: str) -> Iterator[Line]:
    """Lines without a time of their own belong to no job: what graphs print."""
    for path in sorted(folder.glob("*.log")):
        with path.open(encoding="utf-8", errors="replace") as file:
            for text in file:
                if job_id not in text:
                    continue
                members = members_of(text)
                at = time_of(members)
                if at is not None:
                    yield Line(at, path.stem, members)


def members_of(text: str) -> dict[str, Any]:
    """The members of a JSON line; of any other the text as its message."""
    try:
        members = json.loads(text)
    except ValueError:
        members = None
    return members if isinstance(members, dict) else {"message": text.strip()}


def time_of(members: dict[str, Any]) -> int | None:
    """The time that a line says it was written at, in epoch milliseconds."""
    try:
        return round(datetime.fromisoformat(str(members.get("timestamp"))).timestamp() * 1000)
    except ValueError:
        return None
