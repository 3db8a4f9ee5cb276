"""Factories, called as LangGraph's own server does; what they hold open is left in whatever way the run ends."""

from __future__ import annotations

import asyncio
import io
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Annotated, Any

import pytest
from aws_lambda_powertools import Logger
from langchain_core.runnables import RunnableConfig
from langgraph_sdk.auth.types import BaseUser
from langgraph_sdk.runtime import ServerRuntime

from graphjobs.worker.factory import FactoryCall, OpenSource
from graphjobs.worker.user import User

CONFIG = {"configurable": {"persona": "pirate"}}
STORE = object()
CALL = FactoryCall(config=CONFIG, context={"tone": "kind"}, user=User("user-1"), store=STORE)


def opened(source: Any) -> tuple[OpenSource, io.StringIO]:
    text = io.StringIO()
    return OpenSource(source, CALL, Logger(service=f"factory-{uuid.uuid4()}", stream=text)), text


def made(source: Any) -> Any:
    """What `source` gives."""

    async def run() -> Any:
        return await opened(source)[0].enter()

    return asyncio.run(run())


def none_at_all() -> Any:
    return "none"


def of_config(config: RunnableConfig) -> Any:
    return config


def by_any_name(settings: Any) -> Any:
    return settings


def with_default(config: RunnableConfig | None = None) -> Any:
    return config


def keyword_only(*, config: RunnableConfig) -> Any:
    return config


def positional_only(config: RunnableConfig, /) -> Any:
    return config


def more_with_defaults(config: RunnableConfig, model: str = "m") -> Any:
    return config if model == "m" else None


def open_ended(config: RunnableConfig, *args: Any, **more: Any) -> Any:
    return None if args or more else config


async def awaited(config: RunnableConfig) -> Any:
    await asyncio.sleep(0)
    return config


def of_runtime(runtime: ServerRuntime[Any]) -> Any:
    return runtime


def by_annotation(given: ServerRuntime[dict[str, Any]]) -> Any:
    return given


def by_text(given: "ServerRuntime[Any]") -> Any:  # noqa: UP037 - as in a module without the future import
    return given


def by_annotated(given: Annotated[ServerRuntime[Any], "of this run"]) -> Any:
    return given


def by_name(*, runtime) -> Any:  # type: ignore[no-untyped-def]
    return runtime


def both(config: RunnableConfig, runtime: ServerRuntime[Any]) -> Any:
    return config, runtime


def both_turned(runtime: ServerRuntime[Any], config: RunnableConfig) -> Any:
    return config, runtime


class Instance:
    def __call__(self, config: RunnableConfig) -> Any:
        return config


CONFIG_TAKERS = [
    *(of_config, by_any_name, with_default, keyword_only, positional_only, more_with_defaults, open_ended, awaited),
    Instance(),
]


@pytest.mark.parametrize("factory", CONFIG_TAKERS, ids=lambda f: getattr(f, "__name__", "instance"))
def test_a_factory_of_any_signature_gets_the_runs_config(factory: Callable[..., Any]) -> None:
    assert made(factory) == CONFIG


def test_a_factory_without_parameters_is_called_with_none() -> None:
    assert made(none_at_all) == "none"


@pytest.mark.parametrize(
    "factory", [of_runtime, by_annotation, by_text, by_annotated, by_name], ids=lambda f: f.__name__
)
def test_a_factory_that_asks_for_it_gets_the_server_runtime(factory: Callable[..., Any]) -> None:
    runtime = made(factory)
    assert runtime.access_context == "threads.create_run"
    assert runtime.execution_runtime is runtime
    assert runtime.context == {"tone": "kind"} and runtime.store is STORE
    assert runtime.ensure_user().identity == "user-1"


@pytest.mark.parametrize("factory", [both, both_turned], ids=lambda f: f.__name__)
def test_a_factory_may_ask_for_both_in_any_order(factory: Callable[..., Any]) -> None:
    config, runtime = made(factory)
    assert config == CONFIG and runtime.user.identity == "user-1"


def test_a_factory_that_wants_something_else_is_refused() -> None:
    def wants_more(config: RunnableConfig, database: str) -> None: ...

    with pytest.raises(TypeError, match="not 'database'"):
        made(wants_more)


def test_the_user_is_one_of_langgraphs() -> None:
    user = User("user-1")
    assert isinstance(user, BaseUser)
    assert user["identity"] == user.display_name == "user-1" and "permissions" in user
    assert dict(zip(user, map(user.__getitem__, user), strict=True))["is_authenticated"] is True


def test_a_synchronous_factory_may_run_an_event_loop_of_its_own() -> None:
    def factory() -> Any:
        return asyncio.run(awaited({"tools": 1}))  # type: ignore[typeddict-unknown-key]

    assert made(factory) == {"tools": 1}


Journal = list[str]


def async_manager(journal: Journal) -> Any:
    @asynccontextmanager
    async def factory(config: RunnableConfig) -> AsyncIterator[str]:
        journal.append("entered")
        try:
            yield "graph"
        finally:
            await asyncio.sleep(0)
            journal.append("left")

    return factory


def sync_manager(journal: Journal) -> Any:
    @contextmanager
    def factory() -> Iterator[str]:
        journal.append("entered")
        try:
            yield "graph"
        finally:
            journal.append("left")

    return factory


def awaited_manager(journal: Journal) -> Any:
    async def factory() -> Any:
        return async_manager(journal)({})

    return factory


MANAGERS = [async_manager, sync_manager, awaited_manager]


class Ended(BaseException):
    """However a run may end: not only by an `Exception`."""


@pytest.mark.parametrize("manager", MANAGERS, ids=lambda m: m.__name__)
@pytest.mark.parametrize("error", [None, ValueError("graph"), asyncio.CancelledError(), Ended()], ids=repr)
def test_what_a_factory_holds_open_is_left_when_the_run_has_ended(manager: Any, error: BaseException | None) -> None:
    journal: Journal = []

    async def run() -> None:
        source, _ = opened(manager(journal))
        assert await source.enter() == "graph"
        assert journal == ["entered"]
        await source.leave(error)

    asyncio.run(run())
    assert journal == ["entered", "left"]


def leaving(manager: Any, error: BaseException | None) -> str:
    """Enter and leave `manager`; what was logged."""

    async def run() -> str:
        source, text = opened(manager)
        await source.enter()
        await source.leave(error)
        return text.getvalue()

    return asyncio.run(run())


class Manager:
    def __init__(self, leave: Callable[[BaseException | None], Awaitable[Any]]) -> None:
        self._leave = leave

    async def __aenter__(self) -> str:
        return "graph"

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: Any) -> Any:
        return await self._leave(error)


def test_a_manager_cannot_change_how_a_run_has_ended() -> None:
    async def swallows(error: BaseException | None) -> bool:
        return True

    async def wraps(error: BaseException | None) -> None:
        raise BaseExceptionGroup("of a task group", [error or ValueError()])

    assert leaving(Manager(swallows), Ended()) == ""
    (line,) = leaving(Manager(wraps), Ended()).splitlines()
    assert json.loads(line)["level"] == "WARNING" and "BaseExceptionGroup" in line


def test_a_manager_that_fails_after_a_run_that_went_well_fails_the_run() -> None:
    async def fails(error: BaseException | None) -> None:
        raise LookupError("not closed")

    with pytest.raises(LookupError, match="not closed"):
        leaving(Manager(fails), None)
