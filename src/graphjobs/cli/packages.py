"""`graphjobs install`: a project's packages into this environment."""

from pathlib import Path

from graphjobs.cli.terminal import say
from graphjobs.core.langgraph_json import LangGraphJsonInvalid
from graphjobs.packages.install import install_project
from graphjobs.packages.project import ProjectPackagesInvalid
from graphjobs.packages.resolution import PackagesConflict
from graphjobs.packages.uv import UvError


def install(project: Path) -> int:
    """Install the packages of `project`; the exit code."""
    try:
        install_project(project, say)
    except (LangGraphJsonInvalid, ProjectPackagesInvalid, PackagesConflict, UvError) as error:
        say(f"graphjobs: {error}")
        return 1
    return 0
