"""The scheduler process: calls the reconciler at its interval, as EventBridge does."""

from __future__ import annotations

import os
import time

from graphjobs.core.loading import without_collection
from graphjobs.core.settings import Settings
from graphjobs.local.child import end_with_parent, say_ready
from graphjobs.local.lambda_context import LambdaContext

TIMEOUT_SECONDS = 60


def main() -> None:
    """Run until killed."""
    end_with_parent()
    settings = Settings.from_env(os.environ)
    say_ready()
    # Not before it is needed: the processes that people wait for start first.
    time.sleep(settings.reconcile_seconds)
    with without_collection():
        from graphjobs.reconcile.handler import handler, logger

    while True:
        try:
            handler({}, LambdaContext("reconcile", time.monotonic() + TIMEOUT_SECONDS))
        except Exception:
            logger.exception("the reconciler failed; it runs again")
        time.sleep(settings.reconcile_seconds)


if __name__ == "__main__":
    main()
