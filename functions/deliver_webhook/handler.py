"""What Lambda calls: in the bundle this file is `graphjobs_function.py`."""

from graphjobs.notify.deliver import handler

__all__ = ["handler"]
