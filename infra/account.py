"""What is asked of the AWS account while the app is synthesised: its Lambda quota, if nobody has given it."""

from __future__ import annotations

import os

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

QUICK = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 2})


def lambda_quota(region: str) -> int | None:
    """How many executions the account may run at once in `region`; None if it cannot be asked.

    The CDK command line sets `CDK_DEFAULT_ACCOUNT` when it has credentials. They may be of a profile that only it
    knows; so what our own credentials say counts only if they are of the same account.
    """
    account = os.environ.get("CDK_DEFAULT_ACCOUNT")
    if not account or not region:
        return None
    try:
        if boto3.client("sts", region_name=region, config=QUICK).get_caller_identity()["Account"] != account:
            return None
        settings = boto3.client("lambda", region_name=region, config=QUICK).get_account_settings()
    except (ClientError, BotoCoreError):
        return None
    return int(settings["AccountLimit"]["ConcurrentExecutions"])
