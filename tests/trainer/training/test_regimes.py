from __future__ import annotations

import pytest

from pv_trainer.training.regimes import REGIMES, Mode, Regime, choose_regime


def test_an_init_flips_rate_warm_up_and_target_as_one() -> None:
    assert choose_regime(None, from_init=True) == Regime("finetune", 5e-5, 100, 2.2)
    assert choose_regime(None, from_init=False) == Regime("from-scratch", 3e-4, 1000, 3.0)


@pytest.mark.parametrize("mode", ["finetune", "from-scratch"])
@pytest.mark.parametrize("from_init", [True, False])
def test_a_mode_that_is_given_wins_over_how_the_run_starts(
    mode: Mode, *, from_init: bool
) -> None:
    assert choose_regime(mode, from_init=from_init) == REGIMES[mode]


def test_a_value_that_is_given_wins_even_if_it_is_zero() -> None:
    regime = choose_regime(None, from_init=True, lr=1e-3, warmup_steps=0, target_val_loss=0.0)
    assert regime == Regime("finetune", 1e-3, 0, 0.0)
