"""What our custom resources share; each is one file for Lambda, which has this text at its beginning."""

import json
import urllib.request
from collections.abc import Callable
from typing import Any


def answered(event: dict[str, Any], context: Any, act: Callable[[], None]) -> None:
    """Do `act`, and tell CloudFormation how it went: without an answer it waits for an hour."""
    status, reason = "SUCCESS", "ok"
    try:
        act()
    except Exception as error:
        status, reason = "FAILED", f"{type(error).__name__}: {error}"
    body = {
        "Status": status,
        "Reason": f"{reason} (log stream {context.log_stream_name})",
        "PhysicalResourceId": event.get("PhysicalResourceId", event["LogicalResourceId"]),
        **{name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")},
    }
    request = urllib.request.Request(  # noqa: S310 -- CloudFormation's own address
        event["ResponseURL"], data=json.dumps(body).encode(), headers={"Content-Type": ""}, method="PUT"
    )
    urllib.request.urlopen(request, timeout=30).close()  # noqa: S310
