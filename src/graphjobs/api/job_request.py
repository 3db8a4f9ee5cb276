"""The body of ``POST /jobs``."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, model_validator

from graphjobs.core.run_request import RunRequest


def _integral(value: Any) -> Any:
    """JSON has one kind of number: 60.0, as some encoders write it, is the integer 60 (JSON Schema, 6.1.1)."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


class JobRequest(BaseModel):
    """What is asked for. Members that are not listed are refused, so that a misspelt one is not lost silently."""

    model_config = ConfigDict(extra="forbid", strict=True)

    query: Annotated[str, Field(min_length=1)] | None = None
    graph: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    input: dict[str, JsonValue] | None = None
    user_id: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    metadata: dict[str, JsonValue] | None = None
    webhook: Annotated[str, Field(min_length=1, max_length=2_048)] | None = None
    timeout_seconds: Annotated[int, Field(ge=1), BeforeValidator(_integral)] | None = None

    @model_validator(mode="after")
    def _asks_for_something(self) -> "JobRequest":
        if self.query is None and self.input is None:
            raise ValueError("give a query or an input")
        return self

    def run_request(self) -> RunRequest:
        """What the worker needs of it."""
        return RunRequest(query=self.query, input=self.input, metadata=self.metadata or {})
