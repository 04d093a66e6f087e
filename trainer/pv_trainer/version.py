"""The installed version of the distribution."""

from __future__ import annotations


def installed_version() -> str:
    """The version of `pv-harness`, or `unknown` where only the sources are on the path."""
    from importlib import metadata  # noqa: PLC0415 - 20 ms that only who asks should pay

    try:
        return metadata.version("pv-harness")
    except metadata.PackageNotFoundError:
        return "unknown"
