"""The context object that the Lambda runtime gives a handler."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field


@dataclass
class LambdaContext:
    """One invocation of a function, with its deadline."""

    function_name: str
    deadline: float
    """`time.monotonic()` at which the invocation is over."""
    memory_limit_in_mb: int = 512
    function_version: str = "$LATEST"
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def invoked_function_arn(self) -> str:
        """The ARN that was invoked."""
        return f"arn:aws:lambda:us-east-1:000000000000:function:{self.function_name}"

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the deadline."""
        return max(0, int((self.deadline - time.monotonic()) * 1000))
