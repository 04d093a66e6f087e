"""`apr pretrain` on a scene, and what its ending tells."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from pv_falsifiers import architectures
from pv_falsifiers.architectures import Scene
from pv_trainer.errors import AprError
from pv_trainer.model.config import SHAPES, ModelConfig
from pv_trainer.training.options import PretrainOptions
from pv_trainer.training.preflight import preflight


if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pv_harness.fixtures import Cli, CompletedCommand, Measure

# One update over a few tokens; a model with random weights starts above the finetune bound.
BRIEF: Final = (
    *("--num-steps", "1", "--steps-per-epoch", "1", "--batch-size", "2", "--seq-length", "8"),
    *("--mode", "from-scratch", "--json"),
)

ENCODER_NAMES: Final = {
    "bert": (
        "bert.embeddings.word_embeddings.weight",
        "bert.encoder.layer.0.output.dense.weight",
    ),
    "bert-bare": ("encoder.layer.0.attention.self.query.weight", "pooler.dense.weight"),
    "roberta": ("roberta.encoder.layer.0.attention.self.key.bias", "lm_head.dense.weight"),
    "distilbert": (
        "distilbert.embeddings.word_embeddings.weight",
        "distilbert.transformer.layer.0.attention.q_lin.weight",
    ),
    "t5": ("shared.weight", "encoder.block.0.layer.0.SelfAttention.q.weight"),
    # These two end as a decoder's names do.
    "bart": (
        "model.encoder.layers.0.self_attn.q_proj.weight",
        "model.encoder.layers.0.self_attn.q_proj.bias",
    ),
}
"""What published encoders call some of their tensors."""


def pretrain(cli: Cli, scene: Scene, run_dir: Path, *flags: str) -> CompletedCommand:
    """Run `apr pretrain` on a scene, from its checkpoint unless flags name a shape."""
    start = () if "--config" in flags else ("--init", scene.init)
    device = () if "--device" in flags else ("--device", "cpu")
    return cli(
        *("apr", "pretrain", *start, "--tokenizer", scene.tokenizer),
        *("--dataset", scene.dataset, "--run-dir", run_dir, *BRIEF, *device, *flags),
    )


def report_of(done: CompletedCommand) -> dict[str, Any]:
    """The JSON report that a command printed; empty if it printed none."""
    try:
        report: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        return {}
    return report


def measure_refusal(measure: Measure, done: CompletedCommand, run_dir: Path) -> None:
    """Measure how a command ended that had to be refused, and what it left behind."""
    measure("exit_code", done.returncode)
    measure("error_id", report_of(done).get("error", {}).get("id", "none"))
    measure("run_dirs", int(run_dir.exists()))


def measure_acceptance(
    measure: Measure, cli: Cli, folder: Path, rows: int, ordinary: int, added: Sequence[int]
) -> None:
    """Train on a model with that many rows and a tokenizer with those ids, and measure both."""
    narrow = architectures.narrow_shape(rows)
    scene = architectures.make_scene(folder, narrow, ordinary=ordinary, added=added)
    manifest = json.loads((scene.dataset / "manifest.json").read_bytes())
    measure("tokenizer_ids", manifest["vocab_size"])
    done = pretrain(cli, scene, folder / "run")
    record = report_of(done)
    measure("exit_code", done.returncode)
    measure("updates", record.get("steps", 0))
    measure("model_rows", record.get("config", {}).get("vocab_size", 0))


def unread_scene(folder: Path, ids: int) -> Scene:
    """A tokenizer of that many ids beside paths where nothing is: a refusal comes first.

    Were the tokenizer accepted, the missing dataset would still end the command before a model
    of half a billion parameters is built.
    """
    tokenizer = architectures.write_tokenizer(folder / f"tokenizer-{ids}.json", ids)
    return Scene(folder / "no-init", tokenizer, folder / "no-dataset")


def encoder_scene(folder: Path, label: str) -> Scene:
    """A whole decoder with an encoder's tensors among its own; the metadata says decoder."""
    shape = architectures.Shape()
    tensors = architectures.tensor_shapes(shape) | dict.fromkeys(ENCODER_NAMES[label], (4, 4))
    metadata = architectures.apr_metadata(shape)
    init = architectures.write_apr_file(folder / f"{label}.apr", metadata, tensors)
    return replace(unread_scene(folder, shape.vocab_size), init=init)


def plan_from_scratch(folder: Path, name: str) -> ModelConfig | None:
    """The shape that a run from scratch of that name would build, or None if it is refused."""
    ids = SHAPES[name].vocab_size
    tokenizer = architectures.write_tokenizer(folder / "tokenizer.json", ids)
    dataset = architectures.write_dataset(folder / "dataset", tokenizer)
    options = PretrainOptions(
        dataset, config=name, device="cpu", batch_size=2, seq_length=8, num_steps=1
    )
    try:
        return preflight(options).config
    except AprError:
        return None
