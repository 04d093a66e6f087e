from __future__ import annotations

import io
import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from pv_trainer.commands.progress import watching
from pv_trainer.commands.stop_signals import stop_on_signals
from pv_trainer.training.epochs import EpochRecord
from pv_trainer.training.metrics import StepMetrics


if TYPE_CHECKING:
    from collections.abc import Iterator

EPOCH = EpochRecord(
    **{
        **dict.fromkeys(EpochRecord.__dataclass_fields__, ""),
        "epoch": 0,
        "step": 20,
        "train_loss": 3.5,
        "val_loss": 3.25,
        "val_loss_standard_error": 0.125,
    }  # type: ignore[arg-type]
)
EPOCH_LINE = "epoch 0: step 20, train loss 3.5000, val loss 3.2500 ± 0.1250 nats\n"


def step(number: int) -> StepMetrics:
    return StepMetrics(number, 4.0, 1.0, 1e-3, 12_345.6, 100, "d")


def ticking(seconds: float) -> Iterator[float]:
    now = 0.0
    while True:
        yield now
        now += seconds


def test_a_long_epoch_has_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    clock = ticking(11)
    with watching(100, quiet=False, terminal=False, clock=lambda: next(clock)) as show:
        for number in range(1, 8):
            show(step(number))
        show(EPOCH)
    assert capsys.readouterr() == (
        "step 3/100: loss 4.0000, 12,346 tokens/s, 0:17:47 left\n"
        "step 6/100: loss 4.0000, 12,346 tokens/s, 0:17:14 left\n" + EPOCH_LINE,
        "",
    )


def test_a_short_run_has_a_line_per_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    clock = ticking(0.1)
    with watching(100, quiet=False, terminal=False, clock=lambda: next(clock)) as show:
        for number in range(1, 21):
            show(step(number))
        show(EPOCH)
    assert capsys.readouterr() == (EPOCH_LINE, "")


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    clock = ticking(100)
    with watching(100, quiet=True, terminal=False, clock=lambda: next(clock)) as show:
        show(step(1))
        show(step(2))
        show(EPOCH)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_shows_loss_speed_and_time_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm")
    with watching(100, quiet=False, terminal=True) as show:
        show(step(1))
        show(step(20))
        show(EPOCH)
    shown = terminal.getvalue()
    for part in ("20/100", "loss 4.0000", "12,346 tokens/s"):
        assert part in shown
    assert "epoch" not in shown
    assert capsys.readouterr().out == EPOCH_LINE


def test_the_first_signal_is_a_wish_and_the_second_an_order(
    capfd: pytest.CaptureFixture[str],
) -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with stop_on_signals() as asked:
        assert not asked()
        os.kill(os.getpid(), signal.SIGTERM)
        assert asked()
        assert "apr: ends after this update, with a checkpoint" in capfd.readouterr().err
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert before == (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT))
