"""What Lambda calls: in the bundle this file is `graphjobs_function.py`."""

from graphjobs.api.list_jobs import handler

__all__ = ["handler"]
