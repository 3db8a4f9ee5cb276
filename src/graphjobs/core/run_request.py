"""What a job asks of its graph, in LangGraph's names: the rules that every door keeps, and the JSON that is stored.

Each way to create a job makes a `RunRequest` of its body; the worker reads it back. `None` means "not given".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, Literal

Durability = Literal["sync", "exit"]
StreamMode = Literal["values", "updates", "custom", "messages", "checkpoints", "tasks", "debug"]
"""LangGraph's."""

MIN_INTEGER: Final = -(2**63)
MAX_INTEGER: Final = 2**64 - 1
"""What LangGraph's checkpoints can hold of an integer."""

RESERVED_KEYS: Final = frozenset({"graph_id", "job_id", "run_id", "thread_id", "user_id", "assistant_id"})
RESERVED_PREFIXES: Final = ("checkpoint_", "langgraph_auth_", "__")


class RequestInvalid(ValueError):
    """A request that no door accepts; the message is one line and names the member."""


def is_reserved(key: str) -> bool:
    """Whether `key` of ``config.configurable`` is set by us or by LangGraph, never by a caller."""
    return key in RESERVED_KEYS or key.startswith(RESERVED_PREFIXES)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """LangGraph's ``config`` of a run, as far as a caller may give it.

    Attributes:
        recursion_limit: steps that the graph may take; None for LangGraph's default.
        tags: of the run, for its callbacks and traces.
        configurable: what the graph's nodes and factory read; no reserved keys (`is_reserved`).
    """

    recursion_limit: int | None = None
    tags: tuple[str, ...] = ()
    configurable: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What the worker needs of a job's request.

    Attributes:
        input: any JSON; None to go on from the state that there is.
        query: a text; the worker finds its place in the graph's input.
        metadata: the run's metadata in LangGraph.
        context: LangGraph's runtime context; never together with ``config.configurable``.
        config: see `RunConfig`.
        command: ``{resume?, update?, goto?}``; it wins over `input`.
        checkpoint_id: where to begin in place of the thread's head.
        stream_mode: LangGraph's modes; empty for the events of our own profile.
        stream_subgraphs: whether the parts of subgraphs are streamed in these modes.
        interrupt_before, interrupt_after: names of nodes, or ``"*"``.
        durability: when LangGraph saves: after each step, or at the end alone.
        state_update: ``{values, as_node?}``: no node is run, the thread's state is changed and that is all.
    """

    input: Any = None
    query: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    context: Mapping[str, Any] | None = None
    config: RunConfig = field(default_factory=RunConfig)
    command: Mapping[str, Any] | None = None
    checkpoint_id: str | None = None
    stream_mode: tuple[StreamMode, ...] = ()
    stream_subgraphs: bool = False
    interrupt_before: tuple[str, ...] | Literal["*"] = ()
    interrupt_after: tuple[str, ...] | Literal["*"] = ()
    durability: Durability = "sync"
    state_update: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        """Keep the rules.

        Raises:
            RequestInvalid: one of them is broken.
        """
        reserved = sorted(key for key in self.config.configurable if is_reserved(key))
        if reserved:
            raise RequestInvalid(f"config.configurable must not hold {', '.join(reserved)}: reserved")
        if self.context and self.config.configurable:
            raise RequestInvalid("give context or config.configurable, not both; context is preferred")
        if self.query is not None and not self.query.strip():
            raise RequestInvalid("query must not be empty")
        for name, value in (("input", self.input), ("command", self.command), ("values", self.state_update)):
            if _holds_a_huge_integer(value):
                raise RequestInvalid(f"{name} must not hold an integer of over 64 bits: no checkpoint can")

    def to_json(self) -> str:
        """The text that is stored: what was given, and nothing that is as it is by default.

        Raises:
            ValueError: a number or a text in it has no form in JSON.
        """
        members = {name: value for name, value in _given(self).items() if name != "config"}
        if config := _given(self.config):
            members["config"] = config
        return json.dumps(members, ensure_ascii=False, allow_nan=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> RunRequest:
        """The request that `to_json` has stored."""
        members = json.loads(text)
        config = members.pop("config", {})
        return cls(**_tuples(cls, members), config=RunConfig(**_tuples(RunConfig, config)))


def _holds_a_huge_integer(value: Any) -> bool:
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, Mapping):
            waiting += each.values()
        elif isinstance(each, list | tuple):
            waiting += each
        elif isinstance(each, int) and not MIN_INTEGER <= each <= MAX_INTEGER:
            return True
    return False


def _given(record: RunRequest | RunConfig) -> dict[str, Any]:
    values = {spec.name: getattr(record, spec.name) for spec in fields(record)}
    default = type(record)()
    return {name: value for name, value in values.items() if value != getattr(default, name)}


def _tuples(kind: type[RunRequest] | type[RunConfig], members: dict[str, Any]) -> dict[str, Any]:
    """`members` with tuples where JSON has lists; members that `kind` does not know are left out."""
    listed = {"tags", "stream_mode", "interrupt_before", "interrupt_after"}
    known = {spec.name for spec in fields(kind)}
    return {
        name: tuple(value) if name in listed and isinstance(value, list) else value
        for name, value in members.items()
        if name in known
    }
