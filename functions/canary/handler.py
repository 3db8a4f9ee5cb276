"""What Lambda calls: in the bundle this file is `graphjobs_function.py`."""

from graphjobs.core.loading import without_collection

with without_collection():
    from graphjobs.canary.handler import handler

__all__ = ["handler"]
