"""What Lambda calls: in the bundle this file is `graphjobs_function.py`."""

from graphjobs.worker.handler import handler

__all__ = ["handler"]
