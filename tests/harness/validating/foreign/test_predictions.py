from __future__ import annotations

import pytest

from pv_harness.validating.foreign.predictions import holds_a_bound


@pytest.mark.parametrize(
    "text",
    [
        "the error is at most 1e-6",
        "y = x",
        "x ≤ y",
        "-1 is returned",
        ".5 of them",
        "32 heads",
        "(0,1)",
        "both are identical",
        "exactly the published shape",
        "the loss is lower than before",
        "EXACTLY as many",
        "no more than all of them",
        "zero are lost",
        "it exits non-zero",
        "A ⊆ B",
    ],
)
def test_a_number_or_a_comparison_is_a_bound(text: str) -> None:
    assert holds_a_bound(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "all outputs are finite",
        "f32 is kept, not f16",
        "the x_1 of llama-3 and INV-BPE-005 hold",
        "SIMD matches scalar",
        "it fails rather than waits",
        "anything other than an error",
        "sequentially, in turn",
    ],
)
def test_names_with_digits_and_mere_words_are_none(text: str) -> None:
    assert not holds_a_bound(text)


def test_a_long_text_takes_no_time_of_its_own() -> None:
    assert not holds_a_bound("at non " * 100_000)
