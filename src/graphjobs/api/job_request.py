"""The body of ``POST /jobs``."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, model_validator

from graphjobs.api.turn_request import TurnRequest, integral
from graphjobs.core.run_request import RunConfig, RunRequest, StreamMode


class ConfigRequest(BaseModel):
    """LangGraph's config of the run, as far as a caller may give it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    recursion_limit: Annotated[int, Field(ge=1), BeforeValidator(integral)] | None = None
    tags: list[str] | None = None
    configurable: dict[str, JsonValue] | None = None

    def run_config(self) -> RunConfig:
        """As the worker needs it."""
        return RunConfig(
            recursion_limit=self.recursion_limit, tags=tuple(self.tags or ()), configurable=self.configurable or {}
        )


class JobRequest(TurnRequest):
    """What is asked for. Members that are not listed are refused, so that a misspelt one is not lost silently."""

    model_config = ConfigDict(extra="forbid", strict=True)

    query: Annotated[str, Field(min_length=1)] | None = None
    graph: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    input: JsonValue = None
    user_id: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    metadata: dict[str, JsonValue] | None = None
    webhook: Annotated[str, Field(min_length=1, max_length=2_048)] | None = None
    context: dict[str, JsonValue] | None = None
    config: ConfigRequest | None = None
    stream_mode: StreamMode | Annotated[list[StreamMode], Field(max_length=7)] | None = None
    stream_subgraphs: bool = False
    timeout_seconds: Annotated[int, Field(ge=1), BeforeValidator(integral)] | None = None

    @model_validator(mode="after")
    def _asks_for_something(self) -> "JobRequest":
        if self.query is None and self.input is None and not self.goes_on:
            raise ValueError("give a query or an input")
        self.run_request()  # keeps the rules that every door keeps
        return self

    def run_request(self) -> RunRequest:
        """What the worker needs of it.

        Raises:
            RequestInvalid: a rule of `RunRequest` is broken; a `JobRequest` that was made has kept them all.
        """
        return RunRequest(
            query=self.query,
            input=self.input,
            metadata=self.metadata or {},
            context=self.context,
            config=self.config.run_config() if self.config else RunConfig(),
            stream_mode=(self.stream_mode,) if isinstance(self.stream_mode, str) else tuple(self.stream_mode or ()),
            stream_subgraphs=self.stream_subgraphs,
            **self.turn(),
        )
