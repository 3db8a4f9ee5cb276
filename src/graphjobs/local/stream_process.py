"""The stream process: the deployed uvicorn app, on a port of this machine."""

from __future__ import annotations

import argparse
import asyncio

from graphjobs.core.loading import without_collection
from graphjobs.local.child import end_with_parent, serve


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(prog="graphjobs.local.stream_process")
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    end_with_parent()
    with without_collection():
        from graphjobs.stream.app import create_app_from_env

        app = create_app_from_env()
    asyncio.run(serve(app, arguments.port))


if __name__ == "__main__":
    main()
