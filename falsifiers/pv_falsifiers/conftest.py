"""What several checks share, made once per session and only where it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pv_falsifiers import live_pair as live, tiny


if TYPE_CHECKING:
    from pv_falsifiers.live_pair import LivePair, LiveRun
    from pv_falsifiers.tiny import Bench
    from pv_harness.fixtures import Cli, Inputs

UPDATES = 500
"""The budget of the live runs."""


@pytest.fixture(scope="session")
def tiny_bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A sound tiny checkpoint with its tokenizer and data; not to be changed."""
    return tiny.make_bench(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def scratch_bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """The same with a tokenizer of the size that the default shape has from scratch."""
    return tiny.make_bench(tmp_path_factory.mktemp("scratch"), vocabulary=4096)


@pytest.fixture(scope="session")
def live_pair(inputs: Inputs) -> LivePair:
    """The embedded checkpoint, and text that it has not seen."""
    return live.open_pair(inputs("embedded"))


@pytest.fixture(scope="session")
def init_start(
    shared_cli: Cli, live_pair: LivePair, tmp_path_factory: pytest.TempPathFactory
) -> LiveRun:
    """One update from the embedded checkpoint: enough for every claim about step 0."""
    run_dir = tmp_path_factory.mktemp("init-start") / "run"
    return live.run_from_init(shared_cli, live_pair, run_dir, 1)


@pytest.fixture(scope="session")
def random_start(
    shared_cli: Cli, live_pair: LivePair, tmp_path_factory: pytest.TempPathFactory
) -> LiveRun:
    """One update from random weights."""
    run_dir = tmp_path_factory.mktemp("random-start") / "run"
    return live.run_from_random(shared_cli, live_pair, run_dir, 1)


@pytest.fixture(scope="session")
def finetuned(
    shared_cli: Cli, live_pair: LivePair, tmp_path_factory: pytest.TempPathFactory
) -> LiveRun:
    """The live run: the whole budget from the embedded checkpoint."""
    run_dir = tmp_path_factory.mktemp("finetuned") / "run"
    return live.run_from_init(shared_cli, live_pair, run_dir, UPDATES)


@pytest.fixture(scope="session")
def trained_from_random(
    shared_cli: Cli, live_pair: LivePair, tmp_path_factory: pytest.TempPathFactory
) -> LiveRun:
    """The same budget on the same batches, from random weights."""
    run_dir = tmp_path_factory.mktemp("trained-from-random") / "run"
    return live.run_from_random(shared_cli, live_pair, run_dir, UPDATES)
