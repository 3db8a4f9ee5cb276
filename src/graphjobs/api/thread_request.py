"""The bodies of the routes of threads: those of LangGraph's API, as far as they have a meaning here."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, model_validator

from graphjobs.api.turn_request import ThreadId
from graphjobs.core.run_request import RunRequest

MAX_METADATA_BYTES = 4_096
"""The metadata is part of the thread's row, which each turn writes twice."""

MAX_PAGE = 1_000


def within_bounds(metadata: dict[str, Any]) -> bool:
    """Whether the metadata of a thread may be stored."""
    return len(json.dumps(metadata, ensure_ascii=False).encode("utf-8", "replace")) <= MAX_METADATA_BYTES


def _small(metadata: dict[str, Any]) -> dict[str, Any]:
    if not within_bounds(metadata):
        raise ValueError(f"metadata must not be over {MAX_METADATA_BYTES} bytes")
    return metadata


Metadata = Annotated[dict[str, JsonValue], AfterValidator(_small)]
Id = Annotated[str, Field(min_length=1, max_length=100)]


class ThreadCreate(BaseModel):
    """``POST /threads``."""

    model_config = ConfigDict(extra="forbid", strict=True)

    thread_id: ThreadId | None = None
    metadata: Metadata | None = None
    if_exists: Literal["raise", "do_nothing"] | None = None


class ThreadPatch(BaseModel):
    """``PATCH /threads/{thread_id}``: members of the metadata that are new or changed."""

    model_config = ConfigDict(extra="forbid", strict=True)

    metadata: Metadata


class CheckpointName(BaseModel):
    """How LangGraph names a checkpoint; those of subgraphs are told with that of the graph around them."""

    model_config = ConfigDict(extra="ignore", strict=True)

    checkpoint_id: Id | None = None
    checkpoint_ns: Literal[""] | None = None


class Configurable(BaseModel):
    """The same, within ``configurable``."""

    model_config = ConfigDict(extra="ignore", strict=True)

    configurable: CheckpointName


class StateAsk(BaseModel):
    """``POST /threads/{thread_id}/state/checkpoint``."""

    model_config = ConfigDict(extra="forbid", strict=True)

    checkpoint: CheckpointName
    subgraphs: bool | None = None


class HistoryAsk(BaseModel):
    """``POST /threads/{thread_id}/history``."""

    model_config = ConfigDict(extra="forbid", strict=True)

    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] | None = None
    before: Configurable | CheckpointName | Id | None = None
    metadata: dict[str, JsonValue] | None = None
    checkpoint: CheckpointName | None = None

    @property
    def before_id(self) -> str | None:
        """The checkpoint that the page begins after, newest first."""
        before = self.before.configurable if isinstance(self.before, Configurable) else self.before
        return before.checkpoint_id if isinstance(before, CheckpointName) else before


class StateUpdate(BaseModel):
    """``POST /threads/{thread_id}/state``."""

    model_config = ConfigDict(extra="forbid", strict=True)

    values: dict[str, JsonValue] | list[dict[str, JsonValue]] | None = None
    as_node: Id | None = None
    checkpoint: CheckpointName | None = None
    checkpoint_id: Id | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> StateUpdate:
        if self.values is None and self.as_node is None:
            raise ValueError("give values or as_node")
        RunRequest(state_update=self.stored())  # keeps the rules that every door keeps
        return self

    def stored(self) -> dict[str, Any]:
        """As `RunRequest` has it."""
        return {"values": self.values, **({"as_node": self.as_node} if self.as_node else {})}

    @property
    def from_id(self) -> str | None:
        """The checkpoint to begin at, if not the newest."""
        return self.checkpoint_id or (self.checkpoint.checkpoint_id if self.checkpoint else None)
