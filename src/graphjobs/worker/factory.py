"""What ``langgraph.json`` names, made into a graph for one run, as LangGraph's own server does it.

A graph or a `StateGraph` is taken as it is. A factory is called for each run. It may take the run's config, a
`langgraph_sdk.runtime.ServerRuntime`, both or neither; and it may give a graph, an awaitable of one, or a context
manager (sync or async), which stays open until the run has ended, in whatever way.
"""

from __future__ import annotations

import asyncio
import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from langgraph.graph import StateGraph
from langgraph.pregel import Pregel
from langgraph_sdk.runtime import ServerRuntime, _ExecutionRuntime, _ServerRuntimeBase

from graphjobs.worker.user import User

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

EXECUTION: Final = "threads.create_run"
"""`ServerRuntime.access_context` of a run: a worker calls factories for nothing else."""


@dataclass(frozen=True, slots=True)
class FactoryCall:
    """What a factory may be given.

    Attributes:
        config: of the run, as its nodes get it.
        context: LangGraph's runtime context, as the caller gave it.
        user: who created the job.
        store: LangGraph's store; None if there is none.
    """

    config: dict[str, Any]
    context: dict[str, Any]
    user: User
    store: Any = None

    def runtime(self) -> Any:
        """The `ServerRuntime` of this run."""
        return _ExecutionRuntime(
            access_context=EXECUTION, user=self.user, store=self.store, context=dict(self.context) or None
        )


class OpenSource:
    """What a source gives, between `enter` and `leave`.

    The way in which the run has ended stays what it was: a context manager that swallows an exception, or raises
    another in its place, as task groups do, changes nothing. If it fails after a run that went well, the run fails.
    """

    def __init__(self, source: Any, call: FactoryCall, logger: Logger) -> None:
        self._source = source
        self._call = call
        self._logger = logger
        self._exit: Callable[..., Any] | None = None

    async def enter(self) -> Any:
        """Call the factory, if it is one, and enter what it gives.

        Raises:
            Exception, SystemExit: whatever the factory raises.
        """
        made = self._source
        if callable(made) and not isinstance(made, Pregel | StateGraph):
            # In a thread: a factory may block, and may run an event loop of its own.
            made = await asyncio.to_thread(_called, made, self._call)
        if inspect.isawaitable(made):
            made = await made
        kind = type(made)
        if hasattr(kind, "__aenter__") and hasattr(kind, "__aexit__"):
            graph = await made.__aenter__()
            self._exit = made.__aexit__
            return graph
        if hasattr(kind, "__enter__") and hasattr(kind, "__exit__"):
            graph = made.__enter__()
            self._exit = made.__exit__
            return graph
        return made

    async def leave(self, error: BaseException | None) -> None:
        """Leave it; `error` is what has ended the run, None if it went well."""
        if self._exit is None:
            return
        try:
            left = self._exit(type(error), error, error.__traceback__) if error else self._exit(None, None, None)
            if inspect.isawaitable(left):
                await left
        except BaseException as later:
            if error is None:
                raise
            if later is not error:
                self._logger.warning("leaving the graph's context manager failed as well", exc_info=later)


def _called(factory: Callable[..., Any], call: FactoryCall) -> Any:
    positional, named = _arguments(factory, call)
    return factory(*positional, **named)


def _arguments(factory: Callable[..., Any], call: FactoryCall) -> tuple[list[Any], dict[str, Any]]:
    try:
        parameters = list(inspect.signature(factory).parameters.values())
    except ValueError:  # some builtins have no signature
        return [], {}
    hints = _hints(factory)
    positional: list[Any] = []
    named: dict[str, Any] = {}
    config_given = False
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if parameter.name == "runtime" or _is_runtime(hints.get(parameter.name, parameter.annotation)):
            value = call.runtime()
        elif not config_given:
            value, config_given = call.config, True
        elif parameter.default is not parameter.empty:
            continue
        else:
            raise TypeError(f"a factory takes a config, a ServerRuntime, both or neither; not {parameter.name!r}")
        if parameter.kind is parameter.POSITIONAL_ONLY:
            positional.append(value)
        else:
            named[parameter.name] = value
    return positional, named


def _hints(factory: Callable[..., Any]) -> dict[str, Any]:
    function = factory if inspect.isroutine(factory) else type(factory).__call__
    try:
        # A project may import the name for type checkers alone.
        return typing.get_type_hints(function, localns={"ServerRuntime": ServerRuntime})
    except Exception:  # an annotation may be any expression; without hints the parameters' names decide
        return {}


def _is_runtime(annotation: Any) -> bool:
    if annotation is ServerRuntime:
        return True
    if isinstance(annotation, type):
        return issubclass(annotation, _ServerRuntimeBase)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is ServerRuntime:
        return True
    return bool(arguments) and _is_runtime(arguments[0])
