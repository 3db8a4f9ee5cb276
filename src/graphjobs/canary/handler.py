"""Scheduled: one round trip; its failure is a log line and a metric, and an alarm if it lasts."""

from __future__ import annotations

import json
import os
import time
from functools import lru_cache
from typing import Any, Final

from graphjobs.aws import clients
from graphjobs.canary.round_trip import round_trip
from graphjobs.canary.token import access_token
from graphjobs.core.manifest import FUNCTIONS
from graphjobs.core.settings import Settings
from graphjobs.observability import Metric, record
from graphjobs.observability import logger as make_logger
from graphjobs.observability import metrics as make_metrics

MARGIN_SECONDS: Final = 5.0

logger = make_logger("canary")
metrics = make_metrics("canary")


@lru_cache(maxsize=1)
def wiring() -> tuple[Settings, Any]:
    """Settings, and what reads the secret."""
    return FUNCTIONS["canary"].settings(os.environ), clients.secrets_manager()


def handler(event: dict[str, Any], context: Any) -> dict[str, bool]:
    """Run once; whether all was as it should be."""
    settings, secrets = wiring()
    began = time.monotonic()
    deadline = began + context.get_remaining_time_in_millis() / 1000 - MARGIN_SECONDS
    passed = False
    try:
        credentials = json.loads(secrets.get_secret_value(SecretId=settings.canary_secret)["SecretString"])
        token = access_token(credentials, settings.oidc_issuer, settings.oidc_audience[0])
        job_id = round_trip(settings.api_url, settings.canary_body, token, deadline)
        logger.info("the canary has passed", extra={"job_id": job_id, "seconds": round(time.monotonic() - began, 1)})
        passed = True
    except Exception:  # whatever it is, a client would see it
        logger.exception("the canary has failed")
    record(metrics, Metric.CANARY_PASSES, int(passed))
    metrics.flush_metrics()
    return {"passed": passed}


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    wiring()
