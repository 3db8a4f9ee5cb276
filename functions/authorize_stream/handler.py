"""What Lambda calls: in the bundle this file is `graphjobs_function.py`."""

from graphjobs.core.loading import without_collection

with without_collection():
    from graphjobs.stream.authorizer import handler

__all__ = ["handler"]
