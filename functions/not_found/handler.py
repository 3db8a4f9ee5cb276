"""What Lambda calls: in the bundle this file is `graphjobs_function.py`."""

from graphjobs.api.not_found import handler

__all__ = ["handler"]
