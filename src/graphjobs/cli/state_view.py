"""States of a conversation on a terminal: one with its values as they read best, many as a table."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from graphjobs.cli.job_view import NEVER, aligned
from graphjobs.cli.terminal import one_line
from graphjobs.cli.value_text import INDENT, value_lines

COLUMNS: Final = ("checkpoint_id", "step", "source", "next", "asks")


def state_text(state: Mapping[str, Any]) -> str:
    """Which checkpoint it is, what comes next, what is asked there, and the values."""
    if not state.get("checkpoint_id"):
        return "Nothing has run yet."
    lines = [f"checkpoint_id  {_text(state['checkpoint_id'])}", f"next           {_names(state)}"]
    for task in state.get("tasks") or []:
        if task.get("error"):
            lines.append(f"error          {_text(task.get('name'))}: {_text(task['error'])}")
    for interrupt in state.get("interrupts") or []:
        lines += [f"asks {_text(interrupt.get('id'))}:", *_below(interrupt.get("value"))]
    lines += ["values:", *_below(state.get("values"))]
    for name, within in _subgraphs(state):
        lines += [f"within {name}:", *_below(within)]
    return "\n".join(lines)


def _subgraphs(state: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """The values of the subgraphs that were asked for, each under the names of the nodes that lead to it."""
    for task in state.get("tasks") or []:
        if within := task.get("state"):
            name = path + _text(task.get("name"))
            yield name, within.get("values")
            yield from _subgraphs(within, f"{name}/")


def history_text(states: Sequence[Mapping[str, Any]]) -> str:
    """A row per state under the names of the columns."""
    return aligned([COLUMNS, *(_row(state) for state in states)])


def _row(state: Mapping[str, Any]) -> tuple[str, ...]:
    metadata = state.get("metadata") or {}
    return (
        _text(state.get("checkpoint_id")),
        _text(metadata.get("step")),
        _text(metadata.get("source")),
        _names(state),
        str(len(state.get("interrupts") or [])) if state.get("interrupts") else NEVER,
    )


def _names(state: Mapping[str, Any]) -> str:
    return ", ".join(_text(name) for name in state.get("next") or []) or NEVER


def _below(value: Any) -> list[str]:
    return [INDENT + line for line in value_lines(value)]


def _text(value: Any) -> str:
    return NEVER if value is None else one_line(str(value))
