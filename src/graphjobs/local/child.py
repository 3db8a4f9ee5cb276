"""What every child process of `graphjobs local` does: end with its parent, and say when it is ready."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.applications import Starlette

READY = "ready"


def end_with_parent() -> None:
    """End this process when the parent's end of its standard input is closed, however the parent ended."""

    def watch() -> None:
        while os.read(0, 1):  # not through `sys.stdin`, whose lock would abort an interpreter that ends
            pass
        os._exit(0)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def say_ready(**facts: Any) -> None:
    """One JSON line on standard output: the parent waits for it."""
    print(json.dumps({READY: True, **facts}), flush=True)


async def serve(app: Starlette, port: int) -> None:
    """Serve `app` on 127.0.0.1:`port` until killed, and say so when it listens."""
    import uvicorn

    # No access log, as deployed: it prints query strings, and those hold tickets.
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=port,
        access_log=False,
        log_level="warning",
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started and not serving.done():
        await asyncio.sleep(0.01)
    if server.started:
        say_ready(port=port)
    await serving
