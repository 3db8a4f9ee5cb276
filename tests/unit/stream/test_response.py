"""What is done when a stream ends: once, however it ends, and before Lambda may freeze the process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from typing import Any

import pytest

from graphjobs.stream.response import EventStreamResponse

Message = MutableMapping[str, Any]
SCOPE: Message = {"type": "http"}


async def frames(fails: bool = False) -> AsyncIterator[bytes]:
    yield b"retry: 1\n"
    if fails:
        raise RuntimeError("on purpose")


async def never() -> Message:
    await asyncio.Event().wait()
    return {}


def test_a_stream_is_counted_before_its_last_byte_is_sent() -> None:
    happened: list[str] = []

    async def send(message: Message) -> None:
        happened.append("more" if message.get("more_body", True) else "last byte")

    asyncio.run(EventStreamResponse(frames(), 30, on_close=lambda: happened.append("counted"))(SCOPE, never, send))
    assert happened == ["more", "more", "counted", "last byte"]


def test_a_stream_whose_client_has_gone_is_counted_once() -> None:
    counted: list[int] = []

    async def gone() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        await asyncio.Event().wait()

    asyncio.run(EventStreamResponse(frames(), 30, on_close=lambda: counted.append(1))(SCOPE, gone, send))
    assert counted == [1]


def test_a_stream_that_breaks_is_counted_once() -> None:
    counted: list[int] = []

    async def send(message: Message) -> None:
        return None

    response = EventStreamResponse(frames(fails=True), 30, on_close=lambda: counted.append(1))
    with pytest.raises(RuntimeError):
        asyncio.run(response(SCOPE, never, send))
    assert counted == [1]
