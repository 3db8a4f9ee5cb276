"""The deployments whose versions are still there, and the way back to one of them.

    python -m infra.releases graphjobs-dev                 lists them, newest first
    python -m infra.releases graphjobs-dev --back          to the one before that which is live
    python -m infra.releases graphjobs-dev --to RELEASE    to any of them
    python -m infra.releases graphjobs-dev --keep 5        deletes all but the newest five, and that which is live

Going back moves the alias `live` of every function, and nothing else: tables, queue and configuration of the stack
stay as they are. The next deployment moves the aliases on again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from infra.release import ALIAS, RELEASE_VARIABLE

LATEST: Final = "$LATEST"


class RollbackError(RuntimeError):
    """It cannot be gone back; nothing was changed. The message is one line."""


@dataclass(slots=True)
class Release:
    """One deployment: the version of each function that it has published.

    Attributes:
        name: the digest on every function.
        published: the time of its newest version, as Lambda writes it.
        versions: by the function's name.
    """

    name: str
    published: str = ""
    versions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Deployed:
    """What there is: releases, newest first, and the version that is live of each function."""

    releases: Sequence[Release]
    live: Mapping[str, str]

    def is_live(self, release: Release) -> bool:
        """Whether all functions are at this release."""
        return all(release.versions.get(function) == version for function, version in self.live.items())


def deployed(stack: str, cloudformation: Any, lambda_: Any) -> Deployed:
    """Read the stack's functions, their versions and their aliases."""
    releases: dict[str, Release] = {}
    live = {}
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
    resources = [resource for page in pages for resource in page["StackResourceSummaries"]]
    for resource in resources:
        if resource["ResourceType"] != "AWS::Lambda::Alias":
            continue
        # The physical id of an alias is its ARN: arn:...:function:NAME:live.
        function = resource["PhysicalResourceId"].split(":")[-2]
        live[function] = lambda_.get_alias(FunctionName=function, Name=ALIAS)["FunctionVersion"]
        for page in lambda_.get_paginator("list_versions_by_function").paginate(FunctionName=function):
            for version in page["Versions"]:
                name = version.get("Environment", {}).get("Variables", {}).get(RELEASE_VARIABLE)
                if version["Version"] == LATEST or not name:
                    continue
                release = releases.setdefault(name, Release(name))
                known = release.versions.get(function)
                if known is None or int(known) < int(version["Version"]):
                    release.versions[function] = version["Version"]
                release.published = max(release.published, version["LastModified"])
    newest_first = sorted(releases.values(), key=lambda release: release.published, reverse=True)
    return Deployed(newest_first, live)


def target(found: Deployed, wanted: str | None) -> Release:
    """The release to go to; None is the one before that which is live.

    Raises:
        RollbackError: there is none, or versions of it are missing.
    """
    if wanted is None:
        lives = [number for number, release in enumerate(found.releases) if found.is_live(release)]
        older = found.releases[lives[0] + 1 :] if lives else []
        if not older:
            raise RollbackError("There is no release before that which is live; name one with --to.")
        chosen = older[0]
    else:
        named = [release for release in found.releases if release.name == wanted]
        if not named:
            raise RollbackError(f"There is no release {wanted}.")
        chosen = named[0]
    missing = sorted(set(found.live) - set(chosen.versions))
    if missing:
        raise RollbackError(f"Release {chosen.name} has no version of {', '.join(missing)}.")
    return chosen


def move(found: Deployed, release: Release, lambda_: Any) -> None:
    """Point every function's alias to `release`. Safe to repeat."""
    for function in sorted(found.live):
        lambda_.update_alias(FunctionName=function, Name=ALIAS, FunctionVersion=release.versions[function])


def prune(found: Deployed, keep: int, lambda_: Any) -> int:
    """Delete the versions of all but the newest `keep` releases, never one that is live; returns how many."""
    deleted = 0
    for release in found.releases[keep:]:
        for function, version in release.versions.items():
            if found.live[function] != version:
                lambda_.delete_function(FunctionName=function, Qualifier=version)
                deleted += 1
    return deleted


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m infra.releases", description="Releases of a stack.")
    parser.add_argument("stack", help="such as graphjobs-dev")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--back", action="store_true", help="go to the release before that which is live")
    what.add_argument("--to", metavar="RELEASE", help="go to this release")
    what.add_argument("--keep", type=int, metavar="N", help="delete all but the newest N releases")
    args = parser.parse_args(arguments)
    lambda_ = boto3.client("lambda")
    try:
        found = deployed(args.stack, boto3.client("cloudformation"), lambda_)
        if args.back or args.to:
            release = target(found, args.to)
            move(found, release, lambda_)
            print(f"Live: {release.name}")
        elif args.keep is not None:
            print(f"{prune(found, max(1, args.keep), lambda_)} versions deleted")
        else:
            for release in found.releases:
                print(f"{release.name}  {release.published}{'  live' if found.is_live(release) else ''}")
    except (RollbackError, ClientError, BotoCoreError) as error:
        print(f"graphjobs: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
