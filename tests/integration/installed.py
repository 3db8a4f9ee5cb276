"""The graph of a project in an environment, as a process says it that is forked after packages were installed there."""

from __future__ import annotations

import json
import site
import sysconfig

from graphjobs.worker.graph_loader import GraphLoader


def main(config: str) -> None:
    """Print what the graph named "mine" of the project at `config` says, or why it cannot be loaded."""
    site.addsitedir(sysconfig.get_paths()["purelib"])  # as at the start: the folders that packages name may be new
    loader = GraphLoader(config)
    reasons = [report.reason for report in loader.check() if report.reason]
    print(json.dumps(reasons or loader.source("mine").compile().invoke({})["text"]))
