"""The log in memory that the writer's tests use is held to what every log is held to."""

from __future__ import annotations

import pytest

from tests.support.memory_log import MemoryLog
from tests.unit.log.suite import EventLogSuite


class TestMemoryLog(EventLogSuite):
    @pytest.fixture
    def log(self) -> MemoryLog:
        return MemoryLog()
