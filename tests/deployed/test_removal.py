"""The end of the deployment (`make deploy-local`): this file must be the last."""

from __future__ import annotations

from deploy.inventory import inventory
from deploy.steps import step
from tests.deployed.deployment import Deployment


def test_destroy_leaves_nothing_behind(deployment: Deployment) -> None:
    """With what later deployments have added; there is no deployment after it."""
    with step("cdk destroy"):
        deployment.cdk.destroy(deployment.assembly)
        assert sorted(inventory(deployment.emulator.client) - deployment.before) == []
