"""The way to `local` and `admin`, which need much that the client does not: imported only when asked for."""

from importlib import import_module
from types import ModuleType

from graphjobs.client.errors import ConfigurationError


def local_module(name: str) -> ModuleType:
    """The module `name` of the local instance.

    Raises:
        ConfigurationError: it, or something that it needs, is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise ConfigurationError(
            f"The local instance is not installed ({error}): run `make install` in the graphjobs repository, or "
            "install graphjobs[local]."
        ) from error


def admin_module(name: str) -> ModuleType:
    """The module `name` of what operators use.

    Raises:
        ConfigurationError: it, or something that it needs, is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise ConfigurationError(f"This needs more than is installed ({error}): install graphjobs[admin].") from error
