"""The forward pass in numpy, against the reference library and against the trainer's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from pv_falsifiers import architectures, forward_pass, tiny
from pv_falsifiers.architectures import Shape


SHAPES = [Shape(), Shape(family="llama", tie_word_embeddings=False)]


def reference_loss(shape: Shape, weights: dict[str, Any], rows_NT: torch.Tensor) -> float:
    import transformers

    names = {"qwen2": "Qwen2", "llama": "Llama"}
    config = getattr(transformers, f"{names[shape.family]}Config")(
        **architectures.huggingface_config(shape)
    )
    model = getattr(transformers, f"{names[shape.family]}ForCausalLM")(config).eval()
    state = {name: torch.from_numpy(values) for name, values in weights.items()}
    report = model.load_state_dict(state, strict=False)
    assert not report.unexpected_keys
    assert set(report.missing_keys) <= {"lm_head.weight"}
    model.tie_weights()
    with torch.no_grad():
        logits = model(rows_NT[:, :-1]).logits
    return float(
        torch.nn.functional.cross_entropy(logits.flatten(0, 1), rows_NT[:, 1:].flatten())
    )


@pytest.mark.parametrize("shape", SHAPES, ids=["qwen2-tied", "llama-untied"])
def test_the_loss_is_that_of_the_reference_library(shape: Shape) -> None:
    weights = tiny.make_weights(shape)
    rows_NT = np.random.default_rng(0).integers(0, shape.vocab_size, (3, 25))
    metadata = architectures.apr_metadata(shape)
    found = forward_pass.mean_loss(metadata, weights, rows_NT[:, :-1], rows_NT[:, 1:])
    wanted = reference_loss(shape, weights, torch.from_numpy(rows_NT))
    assert found == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize("key", ["rope_theta", "rms_norm_eps"])
def test_the_loss_depends_on_what_the_metadata_says(key: str) -> None:
    weights = tiny.make_weights()
    rows_NT = np.random.default_rng(0).integers(0, tiny.SHAPE.vocab_size, (1, 17))
    metadata = architectures.apr_metadata(tiny.SHAPE)
    one, other = (
        forward_pass.mean_loss(data, weights, rows_NT[:, :-1], rows_NT[:, 1:])
        for data in (metadata, metadata | {key: 100 * metadata[key]})
    )
    assert abs(one - other) > 1e-6
