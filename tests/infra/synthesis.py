"""`infra.app`, loaded when it is first called.

CDK takes two seconds to load and has a node process of its own, and of the processes that share the tests one needs it:
so no test module, which all of them load, imports what imports CDK.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aws_cdk import App

    from infra.stack import GraphJobsStack


def build(context: Mapping[str, Any], **options: Any) -> tuple[App, GraphJobsStack]:
    """See `infra.app.build`."""
    from infra.app import build as built

    return built(context, **options)
