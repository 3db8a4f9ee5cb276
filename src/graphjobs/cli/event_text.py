"""What a line about one event says."""

import json
from collections.abc import Mapping
from typing import Any, Final

from graphjobs.cli.terminal import one_line

QUOTED_CHARACTERS: Final = 60
"""How much of a long text is quoted within a line."""


def progress_text(data: Mapping[str, Any]) -> str:
    """``[2/6] message``, or ``[40%] message``."""
    if "step" in data and "total" in data:
        mark = f"[{data['step']}/{data['total']}]"
    elif "percent" in data:
        mark = f"[{data['percent']}%]"
    else:
        mark = "[...]"
    return f"{mark} {data.get('message', '')}".rstrip()


def error_text(data: Mapping[str, Any]) -> str:
    """``code: message (class in node)``."""
    place = " in ".join(str(data[name]) for name in ("type", "where") if data.get(name))
    return f"{data.get('code')}: {data.get('message')}" + (f" ({place})" if place else "")


def message_lines(data: Mapping[str, Any]) -> list[str]:
    """What a complete message adds to the pieces that came before: the calls of tools, or a tool's answer."""
    if data.get("role") == "tool":
        return [f"{data.get('name') or 'tool'} answers {shortened(compact(data.get('content')))}"]
    calls = data.get("tool_calls")
    known = [call for call in calls if isinstance(call, Mapping)] if isinstance(calls, list) else []
    return [f"{call.get('name')} {shortened(compact(call.get('args')))}" for call in known]


def message_text(data: Mapping[str, Any]) -> str:
    """The text of a complete message: its content, or the texts of its blocks."""
    content = data.get("content")
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    texts = [
        block if isinstance(block, str) else block.get("text") for block in blocks if isinstance(block, str | dict)
    ]
    return "".join(text for text in texts if isinstance(text, str))


def compact(value: Any) -> str:
    """`value` as JSON on one line."""
    return json.dumps(value, ensure_ascii=False, separators=(", ", ": "))


def shortened(text: str) -> str:
    """`text` on one line, cut where it grows too long to be quoted."""
    line = one_line(text)
    return line if len(line) <= QUOTED_CHARACTERS else f"{line[:QUOTED_CHARACTERS]}…"
