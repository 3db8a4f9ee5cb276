"""The worker's logger and metrics."""

from __future__ import annotations

from typing import Final

from graphjobs.observability import logger as make_logger
from graphjobs.observability import metrics as make_metrics
from graphjobs.worker.process_state import LastingOutput

logger: Final = make_logger("worker", LastingOutput())
metrics: Final = make_metrics("worker")
