"""The environment that a project finds: the variables of its env file, and its own folder to work in.

As in LangGraph's own server, the file is read by python-dotenv's rules and wins over what is set already. Clients of
AWS of our own are made before, so that nothing in the file reaches them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values

from graphjobs.core.langgraph_json import LangGraphJson, read


def enter_project(config_path: str) -> Mapping[str, str]:
    """Set the variables and the working directory of the project; returns the variables that it names.

    Raises:
        LangGraphJsonInvalid: there is no such project.
    """
    file = read(Path(config_path))
    variables = project_variables(file)
    os.environ.update(variables)
    os.chdir(file.root)
    return variables


def project_variables(file: LangGraphJson) -> dict[str, str]:
    """The variables that ``env`` gives: a mapping, or a dotenv file, which need not be there."""
    if isinstance(file.env, str):
        values = dotenv_values(file.root / file.env, encoding="utf-8")
        return {name: value for name, value in values.items() if value is not None}
    return dict(file.env or {})
