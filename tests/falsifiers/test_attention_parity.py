"""The measure of agreement, and decoders in which a wrong rotation shows."""

from __future__ import annotations

import pytest
import torch

from pv_falsifiers import attention_parity as parity


def test_the_worst_position_decides_the_cosine() -> None:
    found = torch.ones(1, 3, 2)
    wanted = torch.ones(1, 3, 2)
    wanted[0, 1, 0] = -1.0
    agreement = parity.compare(found, wanted)
    assert agreement.cosine == pytest.approx(0.0)
    assert agreement.max_abs_error == 2.0


def test_a_cosine_forgives_a_wrong_size_and_the_largest_error_does_not() -> None:
    agreement = parity.compare(torch.full((1, 1, 3), 2.0), torch.ones(1, 1, 3))
    assert agreement.cosine == pytest.approx(1.0)
    assert agreement.max_abs_error == 1.0


def test_position_matters_in_the_decoders_that_are_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decoder = parity.make_decoder(8, 2)
    turned = parity.logits_of(decoder)
    monkeypatch.setattr("pv_trainer.model.decoder.rotate", lambda x, _cos, _sin: x)
    assert parity.compare(parity.logits_of(decoder), turned).cosine < 0.9


def test_the_multi_head_twin_has_a_key_head_for_every_query_head() -> None:
    decoder = parity.make_decoder(8, 2)
    twin = parity.with_repeated_heads(decoder)
    key = "model.layers.0.self_attn.k_proj.weight"
    assert twin.config.num_kv_heads == 8
    first = decoder.get_parameter(key)[: parity.HEAD_DIM]
    repeated = twin.get_parameter(key).view(8, parity.HEAD_DIM, -1)
    assert all(repeated[head].equal(first) for head in range(4))
    assert not repeated[4].equal(first)
