from __future__ import annotations

from typing import Any

from pv_trainer.model.config import SHAPES
from pv_trainer.release.card import render_card


def card(**changes: Any) -> str:
    provenance = {
        "run_id": "run",
        "version": "1",
        "commit": None,
        "seed": 1,
        "status": "TARGET_MET",
        "data": {s: {"manifest_sha256": "m", "corpus_sha256": "c"} for s in ("train", "val")},
        "tokenizer_sha256": "t",
        "parent": None,
        "step0_val_loss": 8.0,
        "unigram_cross_entropy_nats": 5.0,
        "measurements": dict.fromkeys(
            (
                *("val_loss", "val_loss_standard_error", "val_ppl", "train_loss"),
                *("val_tokens", "val_set_id", "tokens_seen", "step"),
            ),
            1,
        ),
    } | changes.pop("provenance", {})
    return render_card(SHAPES["tiny-qwen2"], 361_024, changes, provenance, "| A | B |\n")


def test_a_card_is_named_like_the_model_and_else_like_its_run() -> None:
    assert "\n# run\n" in card()
    assert "\n# my model\n" in card(name="my model")


def test_text_from_the_file_cannot_break_out_of_its_place() -> None:
    text = card(
        name="a\n# b | <script>",
        license="mit\n---\nmalicious: true",
        provenance={"run_id": "[x](y)"},
    )
    assert "\n# a \\# b \\| \\<script\\>\n" in text
    assert 'license: "mit\\n---\\nmalicious: true"\n---\n' in text
    assert "| run | \\[x\\](y) |" in text


def test_the_commit_and_the_parent_are_there_if_they_are_known() -> None:
    assert "| commit | not recorded |" in card()
    assert "| parent | none |" in card()
    text = card(
        provenance={
            "commit": {"revision": "abc", "modified": True},
            "parent": {"sha256": ["d1", "d2"]},
        }
    )
    assert "| commit | abc, modified |" in text
    assert "| parent | d1, d2 |" in text
