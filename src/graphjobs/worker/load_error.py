"""Why a graph cannot be had, in one line for who wrote it: what was raised, where in their code, what to do."""

from __future__ import annotations

import difflib
import os
import traceback
from collections.abc import Sequence
from pathlib import Path

from graphjobs.core.langgraph_json import GraphTarget


class GraphLoadError(Exception):
    """A graph cannot be loaded; the message is one line that says which, why, and what to do.

    Attributes:
        cause_type: name of the class of what the graph's code has raised; ``GraphLoadError`` if it was not that code.
    """

    @property
    def cause_type(self) -> str:
        """See the class."""
        return type(self.__cause__ or self).__name__


def not_importable(target: GraphTarget, error: BaseException, root: Path) -> GraphLoadError:
    """What `error`, raised by the import of the module of `target` in the project at `root`, comes to."""
    reason = f"Graph {target.name!r} ({target}) cannot be imported: {said(error, root)}."
    return GraphLoadError(f"{reason} {remedy(error, root)}".strip())


def factory_failed(target: GraphTarget, error: BaseException, root: Path) -> GraphLoadError:
    """What `error`, raised by the factory of `target`, comes to."""
    return GraphLoadError(
        f"The factory of graph {target.name!r} failed: {said(error, root)}. {remedy(error, root)}".strip()
    )


def no_attribute(target: GraphTarget, names: Sequence[str], graphs: Sequence[str]) -> GraphLoadError:
    """The module of `target` has not the attribute that it names, but `names`, of which `graphs` are graphs."""
    near = graphs or difflib.get_close_matches(target.attribute, names)
    offers = ", ".join(repr(f"{target.where}:{name}") for name in near)
    hint = f"Did you mean {offers}?" if near else "It has: " + (", ".join(sorted(names)) or "nothing") + "."
    return GraphLoadError(f"Graph {target.name!r}: {target.where} has no attribute {target.attribute!r}. {hint}")


def javascript(target: GraphTarget) -> GraphLoadError:
    """`target` is a graph of LangGraph.js."""
    return GraphLoadError(
        f"Graph {target.name!r} ({target}) is written in JavaScript or TypeScript, which the worker, being Python, "
        "cannot run. Take it out of langgraph.json, or run it elsewhere."
    )


def said(error: BaseException, root: Path) -> str:
    """Class, first line and place of an exception; the place is the innermost line of the project's own code."""
    lines = str(error).splitlines()
    text = type(error).__name__ + (f": {lines[0]}" if lines else "")
    place = _place(error, root)
    return f"{text.rstrip('.')} ({place})" if place else text.rstrip(".")


def remedy(error: BaseException, root: Path) -> str:
    """What to do about an exception of the project at `root`, as a sentence; empty if it is not known."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        missing = error.name.partition(".")[0]
        return f"Name the package that has {missing!r} in the dependencies, then: graphjobs install {root}"
    if isinstance(error, KeyError) and _of_environ(error):
        return f"Set {error.args[0]} in the environment, or in the file that `env` of langgraph.json names."
    return ""


def _place(error: BaseException, root: Path) -> str:
    if isinstance(error, SyntaxError):
        return ""  # says so itself
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_relative_to(root) and "site-packages" not in path.parts:
            return f"{path.relative_to(root)}:{frame.lineno}"
    return ""


def _of_environ(error: KeyError) -> bool:
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and frames[-1].filename in (os.__file__, "<frozen os>")
