"""``python -m graphjobs.cli.demo``: a job whose connection is cut midway, and a conversation with a person in it.

Exits 0 only if the answer arrived over two connections as events 1..n without gap or repeat, ended with
`done`, and the job is `completed`; and if the conversation goes as `demo_talk` says.
"""

import os
import signal
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

from graphjobs.cli.demo_talk import TalkError, converse
from graphjobs.cli.local_process import LAST_LINES, LocalProcess, LocalStartError, local_command
from graphjobs.cli.target import Options, resolve
from graphjobs.cli.terminal import INTERRUPTED, harmless, use_utf8
from graphjobs.client.answers import Event, JobStatus
from graphjobs.client.client import Client
from graphjobs.client.errors import GraphjobsError
from graphjobs.core.event import DONE, TOKEN

QUESTION: Final = "환불 정책 알려줘"
GRAPH: Final = "chat"
TOKENS_BEFORE_CUT: Final = 10
START_SECONDS: Final = 60.0
OVERALL_SECONDS: Final = 120.0

LOCAL_COMMAND: Final = local_command("--workers", "1")
PROJECT: Final = Path("examples", "demo", "demo.json")
"""The project with the graphs, in the repository: the demo is run from its folder."""
CLIENT_VARIABLES: Final = frozenset({"GRAPHJOBS_API_URL", "GRAPHJOBS_STREAM_URL", "GRAPHJOBS_TOKEN"})


class DemoError(Exception):
    """Something that the demo shows did not hold."""


class Viewer:
    """Prints the answer's text as it arrives, and keeps the events and the times of the first of them."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.tokens = 0
        self.submitted = time.monotonic()
        self.first_event_ms = 0.0
        self.first_token_ms = 0.0

    def watch(self, events: Generator[Event], until_tokens: int | None = None) -> None:
        """Print up to `until_tokens` tokens in all, or to the end; the connection is closed either way."""
        with closing(events):
            for event in events:
                self._take(event)
                if event["type"] == DONE or self.tokens == until_tokens:
                    break
        print(flush=True)

    def _take(self, event: Event) -> None:
        elapsed_ms = (time.monotonic() - self.submitted) * 1000
        if not self.events:
            self.first_event_ms = elapsed_ms
        self.events.append(event)
        if event["type"] == TOKEN:
            self.tokens += 1
            if self.tokens == 1:
                self.first_token_ms = elapsed_ms
            print(harmless(str(event["data"].get("text", ""))), end="", flush=True)


def demonstrate(client: Client) -> None:
    """Submit, follow, cut, resume and check.

    Raises:
        DemoError: what was to be shown did not hold.
        GraphjobsError: a call failed.
    """
    viewer = Viewer()
    job_id = client.submit(QUESTION, graph=GRAPH)["job_id"]
    step(f'Submitted "{QUESTION}" to graph {GRAPH}: {job_id}')
    step("The answer, live:")
    viewer.watch(client.stream(job_id), until_tokens=TOKENS_BEFORE_CUT)
    last = viewer.events[-1]["seq"]
    if viewer.events[-1]["type"] == DONE:
        raise DemoError(f"the answer was over after {viewer.tokens} tokens, before the connection could be cut")
    step(f"Cut the connection after event {last} ({viewer.tokens} tokens): the socket is closed.")
    cut_off = client.status(job_id)
    step(f"Nobody listens; the job is {cut_off['status']} and its log is at event {cut_off['last_seq']}.")
    step(f"Resuming with Last-Event-ID: {last}. The rest:")
    viewer.watch(client.stream(job_id, after=last))
    check(viewer, client.status(job_id))


def check(viewer: Viewer, job: JobStatus) -> None:
    """Hold what arrived, over both connections, against the promise."""
    seqs = [event["seq"] for event in viewer.events]
    if seqs != list(range(1, len(seqs) + 1)):
        raise DemoError(f"the seqs are not 1 to {len(seqs)}: {seqs}")
    step(f"Received events 1 to {len(seqs)}, without a gap or a repeat.")
    if viewer.events[-1]["type"] != DONE or job["last_seq"] != len(seqs):
        raise DemoError(f"the log ends at event {job['last_seq']}, the stream at {len(seqs)}")
    if job["status"] != "completed":
        raise DemoError(f"the job is {job['status']}: {job.get('error')}")
    step(f"Final status: {job['status']}, attempt {job.get('attempt')}.")
    step(f"Submit to first event: {viewer.first_event_ms:.0f} ms.")
    step(f"Submit to first token: {viewer.first_token_ms:.0f} ms.")


def run() -> None:
    """Start a local instance in a folder of its own, demonstrate, and leave nothing behind."""
    with tempfile.TemporaryDirectory(prefix="graphjobs-demo-", ignore_cleanup_errors=True) as folder:
        state = str(Path(folder) / "state")
        environ = {name: value for name, value in os.environ.items() if name not in CLIENT_VARIABLES}
        environ["GRAPHJOBS_STATE_DIR"] = state
        started = time.monotonic()
        step("Starting graphjobs on this machine (no cloud, no key) ...")
        with LocalProcess([*LOCAL_COMMAND, "--config", str(PROJECT)], environ) as local, time_limit(OVERALL_SECONDS):
            instance = local.ready(START_SECONDS)
            step(f"Ready after {time.monotonic() - started:.1f} s.")
            step(f"API {instance['api_url']}, stream {instance['stream_url']}.")
            target = resolve(Options(), {"GRAPHJOBS_STATE_DIR": state})
            with Client(target.api_url, target.token, stream_url=target.stream_url) as client:
                try:
                    demonstrate(client)
                    converse(client, step)
                except (DemoError, TalkError, GraphjobsError) as error:
                    said = local.last_lines()
                    raise DemoError(f"{error}\nThe local instance was started. {LAST_LINES}\n{said}") from error
        step("Stopped the local instance.")


def step(text: str) -> None:
    """Say what is being done."""
    print(f"==> {text}", flush=True)


@contextmanager
def time_limit(seconds: float) -> Generator[None]:
    """Bound what is inside, whatever it waits for.

    Raises:
        DemoError: it took longer.
    """

    def expired(_signal: int, _frame: FrameType | None) -> None:
        raise DemoError(f"not finished within {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, expired)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def main() -> int:
    """Run the demo; 0 if everything held."""
    use_utf8()
    # A `kill` of the demo must end the local instance too: leave by the same way as Ctrl-C does.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        run()
    except (DemoError, GraphjobsError, LocalStartError) as error:
        print(f"demo: {error}", file=sys.stderr, flush=True)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        signal.signal(signal.SIGTERM, before)
    print("demo: everything held.", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
