"""What Lambda calls: in the bundle this file is `graphjobs_function.py`."""

from graphjobs.api.job_status import handler

__all__ = ["handler"]
