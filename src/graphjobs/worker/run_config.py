"""Config and context of a run, by the rules of LangGraph's own server: what one of them holds, the other shows too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from graphjobs.core.job import Job
from graphjobs.core.run_request import RunRequest, is_reserved
from graphjobs.worker.user import User

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger
    from langgraph.pregel import Pregel


def run_config(job: Job, request: RunRequest) -> dict[str, Any]:
    """LangGraph's config of a run of `job`.

    ``thread_id`` is the conversation's, the same for each of its runs, as on LangGraph's server.
    The request's context is mirrored into ``configurable``, where what is ours wins over a member of the same name.
    """
    user = User(job.owner)
    configurable = {
        **{key: value for key, value in (request.context or {}).items() if not is_reserved(key)},
        **request.config.configurable,
        "thread_id": job.thread,
        "job_id": job.job_id,
        "run_id": job.job_id,
        "graph_id": job.graph,
        "user_id": job.owner,
        "langgraph_auth_user": user,
        "langgraph_auth_user_id": user.identity,
    }
    config: dict[str, Any] = {
        "configurable": configurable,
        "metadata": dict(request.metadata),
        "run_name": job.graph,
    }
    if request.config.tags:
        config["tags"] = list(request.config.tags)
    if request.config.recursion_limit is not None:
        config["recursion_limit"] = request.config.recursion_limit
    return config


def given_context(request: RunRequest) -> dict[str, Any]:
    """The context that the caller gave, or else the ``configurable`` that stands in for it; empty without either."""
    return dict(request.context or request.config.configurable)


def context_for(graph: Pregel[Any, Any, Any, Any], given: Mapping[str, Any], logger: Logger) -> dict[str, Any]:
    """`given`, cut to what the context schema of `graph` names; all of it where there is no schema.

    It is never None: an empty context lets a schema's defaults apply, and lets a required member be named.
    """
    members = _members(graph, logger)
    if members is None:
        return dict(given)
    left_out = sorted(key for key in given if key not in members)
    if left_out:
        logger.info("not in the graph's context schema, left out", extra={"keys": left_out})
    return {key: value for key, value in given.items() if key in members}


def _members(graph: Pregel[Any, Any, Any, Any], logger: Logger) -> frozenset[str] | None:
    try:
        schema = graph.get_context_jsonschema()
    except Exception as error:  # a schema may hold types that pydantic cannot describe
        logger.warning("the graph's context schema cannot be read", extra={"error": str(error)})
        return None
    properties = (schema or {}).get("properties")
    return frozenset(properties) if properties else None
