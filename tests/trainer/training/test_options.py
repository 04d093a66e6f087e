from __future__ import annotations

import json
import math
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from pv_trainer.training.options import (
    Limits,
    PretrainOptions,
    option_kinds,
    parse_options,
)


@st.composite
def possible(draw: st.DrawFn, name: str) -> Any:
    kind = option_kinds()[name]
    if kind.optional and draw(st.booleans()):
        return None
    if kind.choices:
        return draw(st.sampled_from(kind.choices))
    if kind.limits is not None:
        least, most = kind.limits.least, kind.limits.most
        if kind.base is int:
            return draw(st.integers(int(least), int(most)))
        return draw(st.floats(least, most))
    if kind.base is bool:
        return draw(st.booleans())
    return kind.base(draw(st.text(st.characters(exclude_characters="\0"), min_size=1)))


every_option = st.fixed_dictionaries(
    {f.name: possible(f.name) for f in fields(PretrainOptions)}
)


@given(values=every_option)
def test_options_survive_the_way_through_json(values: dict[str, Any]) -> None:
    options = PretrainOptions(**values)
    spelled = {n: str(v) if isinstance(v, Path) else v for n, v in asdict(options).items()}
    assert parse_options(json.loads(json.dumps(spelled))) == options


def test_what_is_left_out_has_its_default_and_what_is_unknown_is_left() -> None:
    assert parse_options({"seed": 7, "of_tomorrow": 1}) == PretrainOptions(seed=7)


@pytest.mark.parametrize("name", [f.name for f in fields(PretrainOptions)])
@pytest.mark.parametrize(
    "value", [[], {}, 10**400, -(10**400), math.nan, math.inf, "a\0b"], ids=repr
)
def test_a_value_that_no_option_can_have_is_named(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"^options\.{name}: "):
        parse_options({name: value})


@pytest.mark.parametrize("name", [f.name for f in fields(PretrainOptions)])
def test_none_is_for_what_may_be_left_open(name: str) -> None:
    if option_kinds()[name].optional:
        assert getattr(parse_options({name: None}), name) is None
    else:
        with pytest.raises(ValueError, match=rf"^options\.{name}: None is no "):
            parse_options({name: None})


@pytest.mark.parametrize("name", [n for n, k in option_kinds().items() if k.limits])
def test_the_limits_of_a_number_are_possible_and_what_lies_beyond_is_not(name: str) -> None:
    kind = option_kinds()[name]
    assert isinstance(kind.limits, Limits)
    least, most = kind.base(kind.limits.least), kind.base(kind.limits.most)
    assert [getattr(parse_options({name: v}), name) for v in (least, most)] == [least, most]
    below, above = (
        (least - 1, most + 1)
        if kind.base is int
        else (math.nextafter(least, -math.inf), math.nextafter(most, math.inf))
    )
    for value in (below, above):
        with pytest.raises(ValueError, match="is outside its limits"):
            parse_options({name: value})


def test_the_last_epoch_ends_with_the_budget() -> None:
    options = PretrainOptions(num_steps=7, steps_per_epoch=3)
    assert [options.end_of_epoch(n) for n in range(3)] == [3, 6, 7]
    assert PretrainOptions(num_steps=0).end_of_epoch(0) == 0
