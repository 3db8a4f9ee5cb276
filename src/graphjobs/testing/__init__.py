"""In place of what is outside of a process: for tests of the project, and of what others build on it.

Only `event_log_suite` needs pytest, only `aws` needs moto and only `saver` needs LangGraph: the extra ``testing``
brings the first two, ``worker`` the last.

* `aws`: `emulated_aws`, the AWS resources of a deployment on moto
* `clock`: `FakeClock` and `FakeMonotonic`, which move when they are told
* `event_log`: `MemoryLog`, an event log that can be told to fail, to hide a slot and to wait
* `event_log_suite`: `EventLogSuite`, the tests that every event log is held to
* `metrics`: `MemoryMetrics`, in place of Powertools' `Metrics`
* `queue`: `MemoryQueue`, an SQS client for the real `JobQueue`
* `saver`: `MemorySaver`, LangGraph's checkpoints in memory with what the worker asks of its checkpointer
"""

from graphjobs.testing.clock import FakeClock, FakeMonotonic
from graphjobs.testing.event_log import MemoryLog
from graphjobs.testing.metrics import MemoryMetrics
from graphjobs.testing.queue import MemoryQueue

__all__ = ["FakeClock", "FakeMonotonic", "MemoryLog", "MemoryMetrics", "MemoryQueue"]
