"""What `run.sh` starts: in the bundle this file is `graphjobs_function.py`."""

from graphjobs.core.loading import without_collection

with without_collection():
    from graphjobs.stream.app import create_app_from_env

__all__ = ["create_app_from_env"]
