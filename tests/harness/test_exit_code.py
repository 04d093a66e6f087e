from __future__ import annotations

from hypothesis import given, strategies as st

from pv_harness.exit_code import ExitCode, combine


CODES = st.lists(st.sampled_from(ExitCode), min_size=1)


def test_nothing_judged_is_never_a_pass() -> None:
    assert combine([]) is ExitCode.CANNOT_JUDGE


@given(CODES, st.randoms())
def test_order_and_repetition_make_no_difference(codes: list[ExitCode], random: object) -> None:
    shuffled = codes + codes
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert combine(shuffled) is combine(codes)


@given(CODES)
def test_infrastructure_beats_usage_beats_denied_beats_unknown(codes: list[ExitCode]) -> None:
    order = [4, 2, 1, 3, 0]
    assert combine(codes) == min(codes, key=lambda code: order.index(int(code)))
