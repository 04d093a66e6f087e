"""How a run is watched: a bar on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from pv_trainer.commands.progress_bar import make_bar
from pv_trainer.commands.standard_streams import say


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pv_trainer.training.epochs import EpochRecord
    from pv_trainer.training.metrics import StepMetrics

    Event = StepMetrics | EpochRecord

LINE_EVERY_S: Final = 30.0
"""Between two lines about the steps of a long epoch, where there is no terminal."""


@contextmanager
def watching(
    num_steps: int, *, quiet: bool, terminal: bool, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[Event], None]]:
    """Yield what is told of each update and epoch, and shows it.

    Args:
        num_steps: the updates of the whole run.
        quiet: print no lines on stdout; a bar on stderr is shown all the same.
        terminal: whether stderr is one.
        clock: seconds that never go back.
    """
    if not terminal:
        yield _lines(num_steps, clock) if not quiet else lambda _: None
        return
    bar = make_bar(
        "step {task.completed:,.0f}/{task.total:,.0f}",
        "{task.fields[loss]}",
        "{task.fields[speed]}",
        refreshed=True,
    )
    task = bar.add_task("", total=num_steps, loss="", speed="")
    began = False

    def show(event: Event) -> None:
        nonlocal began
        if hasattr(event, "epoch"):
            if not quiet:
                # The line goes to stdout, the bar to stderr: one terminal shows both.
                bar.stop()
                say(epoch_text(asdict(event)))
                bar.start()
            return
        if not began:
            # A resumed run begins far along: what it did before says nothing of its speed.
            bar.reset(task, completed=event.step)
            began = True
        bar.update(
            task,
            completed=event.step,
            loss=f"loss {event.train_loss:.4f}",
            speed=f"{event.tokens_per_sec:,.0f} tokens/s",
        )

    with bar:
        yield show


def epoch_text(epoch: dict[str, Any]) -> str:
    """One line about an epoch."""
    train = "none" if epoch["train_loss"] is None else f"{epoch['train_loss']:.4f}"
    return (
        f"epoch {epoch['epoch']}: step {epoch['step']}, train loss {train}, val loss "
        f"{epoch['val_loss']:.4f} ± {epoch['val_loss_standard_error']:.4f} nats"
    )


def _lines(num_steps: int, clock: Callable[[], float]) -> Callable[[Event], None]:
    first: tuple[float, int] | None = None
    last = clock()

    def show(event: Event) -> None:
        nonlocal first, last
        now = clock()
        if hasattr(event, "epoch"):
            last = now
            say(epoch_text(asdict(event)))
            return
        if first is None:
            first = (now, event.step)
        if now - last >= LINE_EVERY_S and event.step > first[1]:
            last = now
            left = (now - first[0]) / (event.step - first[1]) * (num_steps - event.step)
            say(_step_text(event, num_steps, left))

    return show


def _step_text(step: StepMetrics, num_steps: int, left_s: float) -> str:
    minutes, seconds = divmod(round(left_s), 60)
    hours, minutes = divmod(minutes, 60)
    return (
        f"step {step.step}/{num_steps}: loss {step.train_loss:.4f}, "
        f"{step.tokens_per_sec:,.0f} tokens/s, {hours}:{minutes:02}:{seconds:02} left"
    )
