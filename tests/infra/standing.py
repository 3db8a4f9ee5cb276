"""An interpreter that stands by: a command that runs a program as ``python -c`` would, in a fork of a process that has
imported LangGraph already, which takes longer than what most programs do with it.

The command is a process too: it hands over its arguments, its environment, its folder and its standard files, and ends
as the fork does.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from graphjobs import processes
from tests.infra.forking import FORKING

COMMAND = """
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect(sys.argv[1])
    said = json.dumps([sys.argv[2:], dict(os.environ), os.getcwd()]).encode()
    socket.send_fds(server, [len(said).to_bytes(4, "big")], [0, 1, 2])
    server.sendall(said)
    sys.exit(server.recv(1)[0])
"""

SERVER = f"""
{FORKING}
import json, socket

def run(client, files, arguments, environ, folder):
    client.close()
    listener.close()
    for number, file in enumerate(files):
        os.dup2(file, number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    begin = arguments.index("-c")
    sys.argv = ["-c", *arguments[begin + 2 :]]
    exec(compile(arguments[begin + 1], "<string>", "exec"), {{"__name__": "__main__"}})

path, *modules = sys.argv[1:]
load(modules)
listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
listener.listen()
print("ready", flush=True)
while True:
    client, _ = listener.accept()
    length, files, *_ = socket.recv_fds(client, 4, 3)
    said = b""
    while len(said) < int.from_bytes(length, "big"):
        said += client.recv(65536)
    pid = os.fork()
    if not pid:
        end_with(lambda: run(client, files, *json.loads(said)))
    for file in files:
        os.close(file)
    client.sendall(bytes([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 255]))
    client.close()
"""


@contextmanager
def standing_by(*modules: str) -> Iterator[Sequence[str]]:
    """The command; ``-c``, a program and its arguments come after it. `modules` have been imported."""
    with TemporaryDirectory() as folder:  # a socket's path must be short
        path = str(Path(folder, "socket"))
        command = [sys.executable, "-P", "-B", "-c", SERVER, path, *modules]
        server = processes.start(command, os.environ, stdout=subprocess.PIPE)
        assert server.stdout
        try:
            assert server.stdout.readline() == b"ready\n"
            yield [sys.executable, "-I", "-S", "-c", COMMAND, path]
        finally:
            processes.stop_group(server)
            server.stdout.close()
