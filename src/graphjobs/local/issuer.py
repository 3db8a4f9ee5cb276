"""A small OIDC issuer for one machine: a generated key, and tokens for whoever asks locally.

`issuer_routes` serves what others have to know of it; `graphjobs token` needs no web framework.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from graphjobs.local.state import AUDIENCE, STATE_FILE

KEY_FILE = "issuer.pem"


def ensure_key(state_dir: Path) -> rsa.RSAPrivateKey:
    """The issuer's key, made and kept in `state_dir` (mode 0600) when first asked for."""
    path = state_dir / KEY_FILE
    if path.exists():
        return _load(path)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    state_dir.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
    return key


def mint_token(state_dir: Path, user: str, seconds: int, claims: Mapping[str, Any] | None = None) -> str:
    """A token for `user` from the issuer of the instance that runs with `state_dir`, with `claims` beside its own.

    Raises:
        FileNotFoundError: no instance runs there.
    """
    state = json.loads((state_dir / STATE_FILE).read_text(encoding="utf-8"))
    return sign(_load(state_dir / KEY_FILE), state["issuer"], user, seconds, **claims or {})


def sign(key: rsa.RSAPrivateKey, issuer: str, user: str, seconds: int, **more: Any) -> str:
    """A token signed by `key`; `more` adds to its claims or replaces some."""
    now = int(time.time())
    claims = {
        "iss": issuer,
        "sub": user,
        "aud": AUDIENCE,
        "iat": now,
        "exp": now + seconds,
        "jti": str(uuid.uuid4()),
        "scope": "openid",
    }
    return jwt.encode(claims | more, key, algorithm="RS256", headers={"kid": key_id(key)})


def key_id(key: rsa.RSAPrivateKey) -> str:
    """A name for the key: of its public part, so that every process gives it the same."""
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(public).hexdigest()[:16]


def public_keys(key: rsa.RSAPrivateKey) -> dict[str, Any]:
    """The JWKS document."""
    public = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {"keys": [{**public, "kid": key_id(key), "use": "sig", "alg": "RS256"}]}


def _load(path: Path) -> rsa.RSAPrivateKey:
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError(f"{path} holds no RSA key.")
    return key
