"""LangGraph's own suite for checkpointers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.conformance import checkpointer_test, validate

from graphjobs.worker.checkpoints import checkpoint_saver
from tests.support.backend import Backend


def test_the_saver_passes_langgraphs_suite(aws: Backend) -> None:
    @checkpointer_test(name="ConfirmingSaver")
    async def made() -> AsyncGenerator[BaseCheckpointSaver[Any], None]:
        yield checkpoint_saver(aws.settings)

    report = asyncio.run(validate(made))
    assert report.passed_all_base() and report.passed_all(), report.to_dict()
