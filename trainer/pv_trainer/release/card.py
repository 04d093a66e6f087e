"""The model card: what the folder holds and what was measured, from the checkpoint's stamp."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pv_trainer.model.config import ModelConfig

_ABOUT = (
    "A decoder of the {family} family with {parameters:,} parameters, trained by `apr "
    "pretrain`. Every number below was measured by the run and read from its record."
)
_BOARD = (
    "The claims about the trainer, as `pv scoreboard` derives them from the evidence, which is "
    "in `evidence/`."
)
_LOADING = """\
```python
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained("this folder")
```

`model.apr` holds the same tensors, byte for byte: `apr pretrain --init model.apr` goes on.
`sha256sum --check SHA256SUMS` shows whether the files are whole.
"""


def render_card(
    config: ModelConfig,
    parameters: int,
    metadata: Mapping[str, Any],
    provenance: Mapping[str, Any],
    scoreboard: str,
) -> str:
    """The Markdown of a model card, with the front matter that model hubs read."""
    name = metadata.get("name") or provenance["run_id"]
    front = {"library_name": "transformers", "pipeline_tag": "text-generation"}
    if isinstance(metadata.get("license"), str):
        front["license"] = metadata["license"]
    parts = [
        # JSON strings are YAML strings, whatever they hold.
        "---\n"
        + "".join(f"{key}: {json.dumps(value)}\n" for key, value in front.items())
        + "---",
        f"# {_cell(name)}",
        _ABOUT.format(family=config.family, parameters=parameters),
        "## Measured",
        _table(("what", "value"), _measured(provenance)),
        "## Where it comes from",
        _table(("what", "value"), _origin(provenance)),
        "## Shape",
        _table(("field", "value"), _shape(config)),
        "## Use",
        _LOADING.rstrip(),
        "## Scoreboard",
        _BOARD,
        scoreboard.strip(),
    ]
    return "\n\n".join(parts) + "\n"


def _measured(provenance: Mapping[str, Any]) -> list[tuple[str, object]]:
    found = provenance["measurements"]
    error = found["val_loss_standard_error"]
    return [
        ("how the run ended", provenance["status"]),
        ("validation loss, nats per token", f"{found['val_loss']} ± {error}"),
        ("validation perplexity", found["val_ppl"]),
        ("training loss, mean of the last steps", found["train_loss"]),
        ("validation loss before the first step", provenance["step0_val_loss"]),
        ("unigram cross-entropy of the same tokens", provenance["unigram_cross_entropy_nats"]),
        ("validation tokens", found["val_tokens"]),
        ("validation set", found["val_set_id"]),
        ("tokens seen", found["tokens_seen"]),
        ("steps", found["step"]),
    ]


def _origin(provenance: Mapping[str, Any]) -> list[tuple[str, object]]:
    commit, parent = provenance["commit"], provenance["parent"]
    code = "not recorded"
    if isinstance(commit, dict):
        code = f"{commit.get('revision')}{', modified' if commit.get('modified') else ''}"
    return [
        ("run", provenance["run_id"]),
        ("trainer", provenance["version"]),
        ("commit", code),
        ("seed", provenance["seed"]),
        ("training data, manifest", provenance["data"]["train"]["manifest_sha256"]),
        ("training data, text", provenance["data"]["train"]["corpus_sha256"]),
        ("validation data, manifest", provenance["data"]["val"]["manifest_sha256"]),
        ("tokenizer", provenance["tokenizer_sha256"]),
        ("parent", "none" if parent is None else ", ".join(parent["sha256"])),
    ]


def _shape(config: ModelConfig) -> list[tuple[str, object]]:
    return [(name, getattr(config, name)) for name in config.__dataclass_fields__]


def _table(head: Sequence[str], rows: Sequence[tuple[str, object]]) -> str:
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    return "\n".join([*lines, *(f"| {name} | {_cell(value)} |" for name, value in rows)])


def _cell(value: object) -> str:
    """Text that stays one cell and one line, and is no markup."""
    text = "".join(c if c.isprintable() else " " for c in str(value))
    for sign in "\\`*_{}[]<>|#!":
        text = text.replace(sign, f"\\{sign}")
    return text
