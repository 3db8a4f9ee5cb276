"""What the model says, whoever's API it is asked by: first it calls a tool, then it answers.

It is a function of the request alone, so every run gives the same answers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

ENDS: Final = re.compile("done|complete|finish", re.IGNORECASE)
"""Names of tools by which a model says that it is ready."""

DEPTH: Final = 8
WORDS: Final = 80


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that may be called: `schema` is the JSON schema of its arguments."""

    name: str
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """One request.

    Attributes:
        asked: what the user said last.
        calls: how often tools have been called since.
        tools: those that may be called.
        required: whether one has to be.
        forced: the name of the one that has to be.
        schema: of the object that the answer has to be.
    """

    asked: str
    calls: int = 0
    tools: Sequence[Tool] = ()
    required: bool = False
    forced: str | None = None
    schema: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """A text, or the call of a tool."""

    text: str = ""
    tool: str | None = None
    arguments: Mapping[str, Any] | None = None

    @property
    def json(self) -> str:
        """The arguments as they are sent."""
        return json.dumps(self.arguments or {}, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Manner:
    """How it speaks in one project.

    Attributes:
        tools: names of those that it calls first, if it is offered one of them.
        values: what members of this name are, in arguments and objects.
    """

    tools: Sequence[str] = ()
    values: Mapping[str, Any] | None = None

    def reply(self, question: Question) -> Reply:
        """What it says to `question`."""
        if question.schema is not None:
            return Reply(json.dumps(self.example(question.schema), ensure_ascii=False))
        tool = self._tool(question)
        if tool is not None:
            return Reply(tool=tool.name, arguments=self.example(tool.schema))
        return Reply(f"An answer to: {' '.join(question.asked.split())[:WORDS]}")

    def _tool(self, question: Question) -> Tool | None:
        by_name = {tool.name: tool for tool in question.tools}
        if question.forced is not None:
            return by_name[question.forced]
        if not by_name or (question.calls and not question.required):
            return None
        if question.calls:
            return next((tool for name, tool in by_name.items() if ENDS.search(name)), question.tools[-1])
        return next((by_name[name] for name in self.tools if name in by_name), question.tools[0])

    def example(self, schema: Mapping[str, Any]) -> Any:
        """A value of a JSON schema; of an object the members that it requires."""
        return self._example("value", schema, schema.get("$defs", {}), DEPTH)

    def _example(self, name: str, schema: Mapping[str, Any], named: Mapping[str, Any], depth: int) -> Any:
        if name in (self.values or {}):
            return (self.values or {})[name]
        if "$ref" in schema:
            return self._example(name, named[schema["$ref"].rpartition("/")[2]], named, depth - 1)
        if "const" in schema or "enum" in schema:
            return schema.get("const", next(iter(schema.get("enum", ())), None))
        choices = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
        if choices:
            real = [each for each in choices if each.get("type") != "null"]
            return self._example(name, (real or choices)[0], named, depth)
        kind = schema.get("type")
        if kind == "object" or "properties" in schema:
            members = schema.get("properties", {})
            return {each: self._example(each, members[each], named, depth - 1) for each in schema.get("required", ())}
        if kind == "array":
            return [self._example(name, schema.get("items", {}), named, depth - 1)] if depth > 0 else []
        if schema.get("format") == "date-time":
            return "2026-11-25T09:00:00Z"
        plain: dict[Any, Any] = {"integer": 1, "number": 1.0, "boolean": False, "null": None}
        return plain.get(kind, f"some {name.replace('_', ' ')}")
