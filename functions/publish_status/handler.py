"""What Lambda calls: in the bundle this file is `graphjobs_function.py`."""

from graphjobs.notify.publish import handler

__all__ = ["handler"]
