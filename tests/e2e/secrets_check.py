"""That no token and no ticket is in anything that an instance has written."""

from __future__ import annotations

import re

from tests.support.instance import Target

JWT = re.compile(r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}")
TICKET = re.compile(r"\b[\w-]+\.\d{10}\.[\w-]{43}\b")


def check_no_secret_written(target: Target) -> None:
    """Look for every secret that the tests had in hand, and for what has the form of one; local instances only."""
    if target.state_dir is None:
        return
    for name, text in target.written().items():
        for secret in target.secrets:
            assert secret not in text, f"{name} has a token or ticket of the tests"
            signature = secret.rpartition(".")[2]
            assert not signature or signature not in text, f"{name} has the signature of a token or ticket"
        for form in (JWT, TICKET):
            assert not form.search(text), f"{name} has what looks like a token or ticket"
