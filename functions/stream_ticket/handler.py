"""What Lambda calls: in the bundle this file is `graphjobs_function.py`."""

from graphjobs.api.stream_ticket import handler

__all__ = ["handler"]
