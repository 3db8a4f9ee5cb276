"""A JSON value as a person reads it: texts as they are, members and items one below the other."""

from typing import Any, Final

from graphjobs.cli.terminal import harmless

INDENT: Final = "  "


def value_lines(value: Any) -> list[str]:
    """The lines of `value`; a short member stands on the line of its name, anything longer below it."""
    if isinstance(value, dict) and value:
        return [line for name, item in value.items() for line in _under(f"{harmless(str(name))}:", item)]
    if isinstance(value, list) and value:
        return [line for item in value for line in _item(item)]
    if isinstance(value, str):
        return harmless(value).split("\n")
    return [_short(value)]


def _under(head: str, value: Any) -> list[str]:
    lines = value_lines(value)
    compound = isinstance(value, dict | list) and bool(value)
    if len(lines) == 1 and not compound:
        return [f"{head} {lines[0]}".rstrip()]
    return [head, *(INDENT + line for line in lines)]


def _item(value: Any) -> list[str]:
    first, *rest = value_lines(value)
    return [f"- {first}", *(INDENT + line for line in rest)]


def _short(value: Any) -> str:
    """What JSON writes for what is no text."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case dict():
            return "{}"
        case list():
            return "[]"
    return str(value)
