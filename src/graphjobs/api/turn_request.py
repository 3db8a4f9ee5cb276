"""The members of ``POST /jobs`` that make a job a turn of a thread; the names are LangGraph's."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, model_validator

from graphjobs.core.lifetimes import MAX_AFTER_SECONDS
from graphjobs.core.thread import is_thread_id
from graphjobs.core.turns import Strategy


def integral(value: Any) -> Any:
    """JSON has one kind of number: 60.0, as some encoders write it, is the integer 60 (JSON Schema, 6.1.1)."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _thread_id(value: str) -> str:
    if not is_thread_id(value.lower()):
        raise ValueError("thread_id must be a UUID")
    return value.lower()


ThreadId = Annotated[str, AfterValidator(_thread_id)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Nodes = Annotated[list[Name], Field(max_length=100)] | Literal["*"]


class Goto(BaseModel):
    """A node to go to, with an input of its own."""

    model_config = ConfigDict(extra="forbid", strict=True)

    node: Name
    input: JsonValue = None


class CommandRequest(BaseModel):
    """LangGraph's ``Command``: an answer, a change of the state, where to go on."""

    model_config = ConfigDict(extra="forbid", strict=True)

    resume: JsonValue = None
    update: dict[str, JsonValue] | list[tuple[str, JsonValue]] | None = None
    goto: Name | Goto | list[Name | Goto] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> CommandRequest:
        if not self.model_fields_set:
            raise ValueError("give resume, update or goto")
        return self

    def stored(self) -> dict[str, Any]:
        """What was given: an answer may be null."""
        return self.model_dump(exclude_unset=True)


class TurnRequest(BaseModel):
    """Which thread the job belongs to, where it begins and where it stops."""

    model_config = ConfigDict(extra="forbid", strict=True)

    thread_id: ThreadId | None = None
    if_not_exists: Literal["reject", "create"] | None = None
    multitask_strategy: Strategy | None = None
    command: CommandRequest | None = None
    checkpoint_id: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    interrupt_before: Nodes | None = None
    interrupt_after: Nodes | None = None
    durability: Literal["sync", "exit"] | None = None
    after_seconds: Annotated[int, Field(ge=0, le=MAX_AFTER_SECONDS), BeforeValidator(integral)] | None = None

    @model_validator(mode="after")
    def _needs_a_thread(self) -> TurnRequest:
        if self.thread_id is None:
            for name in ("if_not_exists", "multitask_strategy", "checkpoint_id"):
                if getattr(self, name) is not None:
                    raise ValueError(f"{name} needs a thread_id")
            if self.command is not None and "resume" in self.command.model_fields_set:
                raise ValueError("command.resume needs a thread_id")
        return self

    @property
    def goes_on(self) -> bool:
        """Whether it needs no input, since there is a state to go on from."""
        return self.command is not None or self.thread_id is not None

    def turn(self) -> dict[str, Any]:
        """These members as `RunRequest` has them."""
        return {
            "command": self.command.stored() if self.command else None,
            "checkpoint_id": self.checkpoint_id,
            "interrupt_before": _nodes(self.interrupt_before),
            "interrupt_after": _nodes(self.interrupt_after),
            "durability": self.durability or "sync",
        }


def _nodes(names: list[str] | Literal["*"] | None) -> Any:
    return names if names == "*" else tuple(names or ())
