"""`make deploy-local`: everything of a deployment that can be proven without an account, in the order of its life.

Its files are in that order too, as pytest takes them: this one, `test_notify.py`, `test_on_call.py`,
`test_operators.py`, `test_owners.py`, `test_rehearsal.py`, `test_reliability.py`, `test_removal.py`.
"""

from __future__ import annotations

from typing import Final

import pytest

from deploy.acceptance import run_tests
from deploy.adapt import differences
from deploy.cdk import NO_CHANGES, template_of
from deploy.roles import check_roles
from deploy.steps import say, step
from tests.deployed.deployment import Deployment

NOT_OF_THE_EMULATOR: Final = {
    # The function URL allows origins, and the stream is a process without one here.
    "test_front.py::test_one_origin_is_allowed_once",
    # It decodes a body before any function sees it, with what is not UTF-8 replaced.
    "test_refusals.py::test_a_bad_body_is_refused_and_stores_nothing[not UTF-8]",
    "test_refusals.py::test_after_all_refusals_a_good_request_works",
    # It takes /jobs/ for /jobs; API Gateway does not.
    "test_refusals.py::test_an_unknown_route_or_method_is_not_found[POST-/jobs/]",
    # Twenty environments that start at once are twenty interpreters of this one machine.
    "test_streams.py::test_twenty_jobs_at_once_each_give_their_viewer_exactly_their_log",
}
"""Acceptance tests that say nothing of the deployment when MiniStack fails them."""


@pytest.mark.usefixtures("starts")  # what takes its time begins now
def test_a_second_synthesis_of_the_same_source_changes_nothing(deployment: Deployment) -> None:
    with step("cdk deploy again, from a second synthesis"):
        second, _ = deployment.cdk.synthesise("second", deployment.context)
        assert differences(template_of(deployment.assembly), template_of(second)) == []
        assert NO_CHANGES in deployment.cdk.deploy(second)


def test_each_role_may_do_what_it_lists_and_nothing_else(deployment: Deployment) -> None:
    roles = deployment.roles()
    with step("Trying what each role may do, and what not"):
        tried = check_roles(deployment.emulator.client, deployment.assume, roles, deployment.outputs)
        say(f"    {tried} calls by {len(roles)} roles")


def test_the_service_does_what_it_promises(deployment: Deployment) -> None:
    """The acceptance tests, in a process of their own: their environment names the deployment."""
    left_out = [f"--deselect=tests/e2e/{test}" for test in sorted(NOT_OF_THE_EMULATOR)]
    with step("Acceptance tests against the deployment"), deployment.described() as described:
        run_tests(described, deployment.folder, left_out)
