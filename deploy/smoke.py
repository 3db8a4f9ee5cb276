"""`make smoke STACK=name`: the acceptance tests against a stack in a real account.

    python -m deploy.smoke STACK [pytest arguments]

The account and region are those of the AWS environment (AWS_PROFILE, AWS_REGION). Tokens come from the stack's user
pool, through two users that are made for it and deleted after; of another issuer, from GRAPHJOBS_TOKEN and
GRAPHJOBS_OTHER_TOKEN (of another user). With AWS_PROFILE the tests also compare with what is stored. Then `measured`
looks at what Lambda has noted, with the rights of the same identity.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from deploy import measured
from deploy.acceptance import run_tests, target
from deploy.steps import Failed, say, step
from deploy.users import NAMES, temporary_users

VARIABLES = ("GRAPHJOBS_TOKEN", "GRAPHJOBS_OTHER_TOKEN")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run them."""
    parser = argparse.ArgumentParser(prog="deploy.smoke", description="Acceptance tests against a deployed stack.")
    parser.add_argument("stack", help="its name, such as graphjobs-dev")
    known, selection = parser.parse_known_args(arguments)
    try:
        smoke(boto3.Session(), known.stack, os.environ, selection)
    except (Failed, ClientError, BotoCoreError) as error:
        say(f"FAILED: {error}")
        return 1
    say(f"{known.stack} passes.")
    return 0


def smoke(session: Any, stack: str, environ: Mapping[str, str], selection: Sequence[str] = ()) -> None:
    """Test `stack` of the session's account.

    Raises:
        Failed: a test failed, a figure is too high, the stack is none of ours, or there are no tokens for it.
    """
    outputs = outputs_of(session.client("cloudformation"), stack)
    profile = environ.get("AWS_PROFILE")
    access = {"aws_profile": profile, "region": session.region_name} if profile else None
    with (
        tempfile.TemporaryDirectory(prefix="graphjobs-smoke-") as folder,
        tokens_for(outputs, environ, session.client) as tokens,
        step(f"Acceptance tests against {stack}"),
    ):
        run_tests(target(outputs, tokens, access=access), Path(folder), selection)
    with step("What Lambda and CloudWatch have noted"):
        measured.look(session.client, stack)


def outputs_of(cloudformation: Any, stack: str) -> dict[str, str]:
    """The outputs of a stack.

    Raises:
        ClientError: there is no such stack, or it may not be seen.
    """
    found = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}


@contextmanager
def tokens_for(
    outputs: Mapping[str, str], environ: Mapping[str, str], client: Callable[[str], Any]
) -> Iterator[Mapping[str, str]]:
    """Tokens of two users; those that the environment gives come before temporary ones.

    Raises:
        Failed: the issuer is not the stack's own, and the environment does not give both.
    """
    given = [environ.get(name, "") for name in VARIABLES]
    if all(given):
        yield dict(zip(NAMES, given, strict=True))
    elif "UserPoolId" in outputs and not any(given):
        with temporary_users(client("cognito-idp"), outputs["UserPoolId"], outputs["UserPoolClientId"]) as tokens:
            yield tokens
    else:
        raise Failed(
            f"Set both {' and '.join(VARIABLES)}: tokens of two users of {outputs.get('Issuer', 'the issuer')}."
        )


if __name__ == "__main__":
    sys.exit(main())
