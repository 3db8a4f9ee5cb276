"""The certificate authorities that both clients trust: those that httpx trusts by itself, read once per process.

By default each client of httpx reads them anew, also one that only ever asks an ``http://`` address: 25 ms each time.
"""

import os
import ssl
from functools import cache

import httpx


def trusted() -> ssl.SSLContext:
    """As the environment says now: the file ``SSL_CERT_FILE``, the folder ``SSL_CERT_DIR``, or else those of certifi.

    A file is read when it is first named; what is written into it later, another process sees.
    """
    return _read(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@cache
def _read(*named: str | None) -> ssl.SSLContext:
    return httpx.create_ssl_context()
