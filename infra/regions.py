"""Where AWS publishes the Lambda Web Adapter layer, as far as it is known here. Other regions may have it since."""

from __future__ import annotations

from typing import Final

ADAPTER_REGIONS: Final = frozenset(
    {
        *("af-south-1", "ap-east-1", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-south-2"),
        *("ap-southeast-1", "ap-southeast-2", "ap-southeast-3", "ap-southeast-4", "ca-central-1", "eu-central-1"),
        *("eu-central-2", "eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1", "eu-west-2", "eu-west-3"),
        *("me-central-1", "sa-east-1", "us-east-1", "us-east-2", "us-west-1", "us-west-2"),
    }
)

NO_ADAPTER_LAYER: Final = ("cn-", "us-gov-", "us-iso", "eusc-")
"""How the names of regions begin that have none: those of other partitions."""
