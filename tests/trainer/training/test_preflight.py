from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pv_trainer.checkpoints.init import load_model
from pv_trainer.checkpoints.saving import save_apr
from pv_trainer.commands.parser import make_parser
from pv_trainer.data.embedded_corpus import EmbeddedCorpus
from pv_trainer.data.tokenizer import read_tokenizer
from pv_trainer.errors import (
    DataInvalid,
    DeviceUnavailable,
    InitInvalid,
    StreamExhausted,
    UsageError,
)
from pv_trainer.model.config import SHAPES
from pv_trainer.training.options import PretrainOptions
from pv_trainer.training.preflight import FIRST_RUN, check_vocabulary, preflight


if TYPE_CHECKING:
    from collections.abc import Callable

    Rewrite = Callable[..., Path]


@pytest.fixture
def options(dataset_path: Path, init_path: Path) -> PretrainOptions:
    return PretrainOptions(
        dataset=dataset_path, init=init_path, device="cpu", batch_size=4, seq_length=32
    )


def test_a_sound_run_is_planned(options: PretrainOptions, dataset_path: Path) -> None:
    plan = preflight(options)
    assert (plan.device, plan.dtype, plan.horizon) == ("cpu", "float32", 1000)
    assert plan.regime.mode == "finetune"
    assert plan.config.vocab_size == 328
    assert plan.val_dataset.path == dataset_path / "val"
    assert all(gate.passed for gates in plan.gates.values() for gate in gates)
    assert set(plan.sources) == {
        *("family", "vocab_size", "hidden_size", "num_attention_heads", "num_kv_heads"),
        *("intermediate_size", "num_hidden_layers", "max_position_embeddings", "head_dim"),
        *("rope_theta", "rms_norm_eps", "tie_word_embeddings", "use_bias"),
    }


def test_planning_a_run_on_the_cpu_imports_no_torch(options: PretrainOptions) -> None:
    code = (
        "import sys; from pathlib import Path;"
        "from pv_trainer.training.options import PretrainOptions;"
        "from pv_trainer.training.preflight import preflight;"
        f"preflight(PretrainOptions(dataset=Path({str(options.dataset)!r}),"
        f" init=Path({str(options.init)!r}), device='cpu', batch_size=4, seq_length=32));"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize(
    ("rows", "from_init", "problem"),
    [
        (320, True, None),
        (328, True, None),
        (319, True, r"ARCH-010\].*320 ids, the init model has 319"),
        (320, False, None),
        (328, False, r"ARCH-006\].*320 ids, the model from scratch has 328"),
        (319, False, r"ARCH-006\]"),
    ],
)
def test_tokenizer_and_vocabulary_fit(
    tokenizer_path: Path, rows: int, problem: str | None, *, from_init: bool
) -> None:
    config = replace(SHAPES["tiny-qwen2"], vocab_size=rows)
    info = read_tokenizer(tokenizer_path)
    if problem is None:
        check_vocabulary(info, config, from_init=from_init)
    else:
        with pytest.raises(DataInvalid, match=problem):
            check_vocabulary(info, config, from_init=from_init)


@pytest.mark.parametrize(
    ("changes", "error", "problem"),
    [
        ({"device": "tpu"}, UsageError, "GPUTRAIN-001"),
        ({"device": "cuda:15"}, DeviceUnavailable, "GPUTRAIN-002"),
        ({"init": Path("none.apr")}, InitInvalid, "INIT-003"),
        ({"config": "tiny-qwen2"}, UsageError, "the shape comes from the init checkpoint"),
        ({"init": None, "config": "huge"}, UsageError, "--config 'huge' is none of"),
        ({"init": None}, DataInvalid, "ARCH-006"),
        ({"dataset": Path("none")}, DataInvalid, r"CORPUS-008.*none/manifest.json"),
        ({"val_shard": Path("none")}, DataInvalid, r"CORPUS-008.*none/manifest.json"),
        ({"tokenizer": Path("none")}, DataInvalid, "CORPUS-008.*cannot be read"),
        ({"seq_length": 65}, UsageError, "--seq-length 65 is above the model's 64 positions"),
        ({"grad_accum": 5}, UsageError, "--grad-accum 5 is above --batch-size 4"),
        ({"batch_size": 10_000}, DataInvalid, "do not fill one batch of 10000 x 32"),
    ],
)
def test_what_can_not_run_is_refused(
    options: PretrainOptions, changes: dict[str, Any], error: type[Exception], problem: str
) -> None:
    with pytest.raises(error, match=problem):
        preflight(replace(options, **changes))


def test_the_first_check_that_fails_is_told(options: PretrainOptions) -> None:
    """Device, init, tokenizer, dataset, budget: each hides the ones behind it."""
    broken = replace(
        options, device="tpu", init=Path("none.apr"), dataset=Path("none"), seq_length=65
    )
    found = []
    for repair in (
        {"device": "cpu"}, {"init": options.init}, {"dataset": options.dataset}
    ):  # fmt: skip
        with pytest.raises((UsageError, InitInvalid, DataInvalid)) as caught:
            preflight(broken)
        found.append(caught.value.id)
        broken = replace(broken, **repair)
    with pytest.raises(UsageError) as last:
        preflight(broken)
    assert [*found, last.value.id] == [
        *("GPUTRAIN-001", "FALSIFY-APR-PRETRAIN-INIT-003", "CORPUS-008", "APR-CLI-001"),
    ]


def test_validation_must_not_share_documents_with_training(options: PretrainOptions) -> None:
    with pytest.raises(DataInvalid, match=r"CORPUS-005"):
        preflight(replace(options, val_shard=options.dataset))


def test_a_dataset_without_a_held_out_split_needs_one_named(
    options: PretrainOptions, dataset_path: Path, dataset_copy: Path
) -> None:
    shutil.rmtree(dataset_copy / "val")
    alone = replace(options, dataset=dataset_copy)
    with pytest.raises(DataInvalid, match=r"CORPUS-005.*name one with --val-shard"):
        preflight(alone)
    preflight(replace(alone, val_shard=dataset_path / "val"))


def test_another_tokenizer_than_the_encoders_is_refused(
    options: PretrainOptions, tmp_path: Path, tokenizer_path: Path
) -> None:
    other = tmp_path / "tokenizer.json"
    other.write_text(json.dumps(json.loads(tokenizer_path.read_text()), indent=1))
    with pytest.raises(DataInvalid, match=r"CORPUS-008.*encoded by the tokenizer"):
        preflight(replace(options, tokenizer=other))


def test_a_checkpoint_that_lacks_a_tensor_is_refused_from_its_header(
    options: PretrainOptions, init_path: Path, tmp_path: Path, rewrite_apr: Rewrite
) -> None:
    copy = shutil.copy(init_path, tmp_path / "init.apr")
    changed = rewrite_apr(Path(copy), tensors=lambda found: found[1:])
    with pytest.raises(InitInvalid, match=r"INIT-007.*1 missing"):
        preflight(replace(options, init=changed))


def test_another_vocabulary_size_than_the_tokenizers_is_refused(
    options: PretrainOptions, dataset_copy: Path
) -> None:
    manifest = json.loads((dataset_copy / "manifest.json").read_text())
    (dataset_copy / "manifest.json").write_text(json.dumps(manifest | {"vocab_size": 2**40}))
    with pytest.raises(DataInvalid, match=r"CORPUS-008.*vocab_size is 1099511627776"):
        preflight(replace(options, dataset=dataset_copy))


def test_a_flipped_bit_in_the_weights_is_found_before_the_dataset_is_looked_at(
    options: PretrainOptions, init_path: Path, tmp_path: Path
) -> None:
    data = bytearray(init_path.read_bytes())
    data[-100] ^= 1
    (tmp_path / "flipped.apr").write_bytes(data)
    with pytest.raises(InitInvalid, match=r"INIT-011.*the footer says checksum"):
        preflight(replace(options, init=tmp_path / "flipped.apr", dataset=Path("none")))


def test_a_repeated_key_in_the_init_metadata_is_warned_of(
    options: PretrainOptions,
    tmp_path: Path,
    init_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def dumps(metadata: dict[str, Any], **_: object) -> str:
        return '{"name":null,' + json.JSONEncoder().encode(metadata | {"name": "x"})[1:]

    model, _, _ = load_model(init_path)
    with monkeypatch.context() as patched:
        patched.setattr("pv_trainer.formats.apr_writer.json.dumps", dumps)
        save_apr(tmp_path / "twice.apr", model, {})
    preflight(replace(options, init=tmp_path / "twice.apr", cycle=True))
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [
        (
            "WARNING",
            f"{tmp_path / 'twice.apr'}: metadata key 'name' is repeated; its last value counts",
        )
    ]


def test_no_corpus_is_built_for_an_init_that_is_refused(tmp_path: Path) -> None:
    options = PretrainOptions(init=Path("none.apr"), device="cpu", cache=tmp_path / "cache")
    with pytest.raises(InitInvalid, match="INIT-003"):
        preflight(options)
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("from_init", "split"), [(True, "finetune"), (False, "pretrain")], ids=["init", "scratch"]
)
def test_without_a_dataset_the_embedded_corpus_is_used(
    options: PretrainOptions,
    dataset_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    from_init: bool,
    split: str,
) -> None:
    parts = {"pretrain": Path("none"), "finetune": Path("none"), split: dataset_path}
    corpus = EmbeddedCorpus("", Path("none"), **parts, val=dataset_path / "val")
    monkeypatch.setattr("pv_trainer.data.embedded_corpus.build_corpus", lambda _: corpus)
    shape = replace(SHAPES["tiny-qwen2"], vocab_size=320)
    monkeypatch.setattr("pv_trainer.training.preflight.SHAPES", {"tiny-qwen2": shape})
    init = options.init if from_init else None
    plan = preflight(replace(options, dataset=None, init=init))
    assert (plan.options.dataset, plan.options.val_shard) == (
        dataset_path,
        dataset_path / "val",
    )


def test_a_run_whose_data_ends_before_its_first_checkpoint_is_refused(
    options: PretrainOptions,
) -> None:
    """207 steps of 4 x 32 tokens are there."""
    with pytest.raises(
        StreamExhausted,
        match=r"INV-TRAIN-011\].* fill 207 steps of 4 x 32, and the first checkpoint comes "
        r"after 208; pass --cycle to read them again, .* ask for --num-steps 207",
    ):
        preflight(replace(options, num_steps=1000, steps_per_epoch=208))


def test_who_names_no_data_is_told_of_a_first_run_that_the_embedded_corpus_can_feed(
    options: PretrainOptions, dataset_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    val = dataset_path / "val"
    corpus = EmbeddedCorpus("", Path("none"), dataset_path, dataset_path, val)
    monkeypatch.setattr("pv_trainer.data.embedded_corpus.build_corpus", lambda _: corpus)
    shape = replace(SHAPES["tiny-qwen2"], vocab_size=320)
    monkeypatch.setattr("pv_trainer.training.preflight.SHAPES", {"tiny-qwen2": shape})
    short = replace(options, dataset=None, num_steps=1000, steps_per_epoch=208)
    with pytest.raises(StreamExhausted) as caught:
        preflight(replace(short, init=None))
    assert caught.value.remedy == (
        f"a first run on the embedded corpus, minutes on a CPU: {FIRST_RUN}"
    )
    with pytest.raises(StreamExhausted, match="pass --cycle"):
        preflight(short)


def test_the_first_run_that_is_named_is_one_and_is_in_the_documentation() -> None:
    args = make_parser().parse_args(FIRST_RUN.split()[1:])
    tokens = args.num_steps * args.batch_size * args.seq_length
    # The standard library of each supported Python has three times as many to train on.
    assert tokens < 500_000
    assert args.warmup_steps < args.num_steps
    docs = Path(__file__).resolve().parents[3] / "docs" / "apr-pretrain.md"
    assert f"\n{FIRST_RUN}\n" in docs.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("changes", "warned"),
    [
        ({"num_steps": 207, "steps_per_epoch": 1000}, False),
        ({"num_steps": 208, "steps_per_epoch": 207}, True),
        ({"num_steps": 10**6, "steps_per_epoch": 10**6, "cycle": True}, False),
    ],
)
def test_data_that_ends_after_a_checkpoint_is_warned_of(
    options: PretrainOptions,
    caplog: pytest.LogCaptureFixture,
    changes: dict[str, Any],
    *,
    warned: bool,
) -> None:
    preflight(replace(options, **changes))
    assert [
        "the run will end there, before its 208 steps: pass --cycle" in record.getMessage()
        for record in caplog.records
    ] == [True] * warned
