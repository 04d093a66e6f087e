"""A short run over a few documents, and how it goes on after a stop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pv_trainer.data.documents import make_document
from pv_trainer.data.encode import SplitShare, encode_corpus
from pv_trainer.data.split_writer import EncodeOptions
from pv_trainer.training.loop import RunResult, run_training
from pv_trainer.training.options import PretrainOptions
from pv_trainer.training.preflight import preflight
from pv_trainer.training.resuming import check_same_inputs, continued_options, find_point


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pv_trainer.model.config import ModelConfig
    from pv_trainer.model.decoder import Decoder


@pytest.fixture(scope="module")
def few_documents(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], tokenizer_path: Path
) -> Path:
    output = tmp_path_factory.mktemp("few") / "dataset"
    splits = (SplitShare("train", 0.75, "."), SplitShare("val", 0.25, "val"))
    documents = [make_document(text) for text in texts[:7]]
    encode_corpus(documents, tokenizer_path, output, splits, EncodeOptions(shard_tokens=3000))
    return output


@pytest.fixture
def short_options(few_documents: Path, init_path: Path) -> PretrainOptions:
    """Epochs of 3, 3 and 1 updates; the data wraps within the second."""
    return PretrainOptions(
        dataset=few_documents,
        init=init_path,
        device="cpu",
        num_steps=7,
        steps_per_epoch=3,
        batch_size=48,
        seq_length=16,
        lr=1e-2,
        warmup_steps=2,
        val_tokens=64,
        cycle=True,
    )


def resume_run(run_dir: Path, given: dict[str, Any] | None = None, **more: Any) -> RunResult:
    """Go on with a run as the command does; `given` are the flags of its command line."""
    point = find_point(run_dir)
    plan = preflight(continued_options(point, given or {}))
    check_same_inputs(point, plan)
    return run_training(plan, run_dir, point=point, **more)


@pytest.fixture
def resume() -> Callable[..., RunResult]:
    return resume_run


@pytest.fixture
def model(
    make_model: Callable[..., Decoder], make_config: Callable[..., ModelConfig]
) -> Decoder:
    return make_model(make_config())
