"""What holds for every test of the project."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings


if TYPE_CHECKING:
    from collections.abc import Iterator


# Examples are derived from the tests, so that a run says the same twice; and no test fails on a
# time.
settings.register_profile("deterministic", derandomize=True, deadline=None)
settings.load_profile("deterministic")

# A shell starts what runs in its background with Ctrl-C ignored, which our children would
# inherit, and their tests wait for in vain.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What pv remembers between commands lies in the tests' own folder, not in the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PV_CACHE_DIR", str(tmp_path_factory.mktemp("pv-cache")))
        yield
