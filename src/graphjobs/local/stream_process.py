"""The stream process: the deployed uvicorn app, on a port of this machine."""

from __future__ import annotations

import argparse
import asyncio

from graphjobs.local.child import end_with_parent, serve
from graphjobs.stream.app import create_app_from_env


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(prog="graphjobs.local.stream_process")
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    end_with_parent()
    asyncio.run(serve(create_app_from_env(), arguments.port))


if __name__ == "__main__":
    main()
