# ruff: noqa: N818  # these names are the exit statuses
"""Everything that `apr` refuses or fails at, as values that cross process borders.

AprError
├── UsageError            2    the command line, or a call with unpaired arguments
├── InitInvalid           10   the checkpoint to start from
├── DataInvalid           11   the corpus, its shards or its tokenizer
├── DeviceUnavailable     12   the device that was asked for
├── Divergence            20   the validation loss grew past its bound
├── NumericalInstability  21   a loss, a gradient or a weight is not finite
├── StreamExhausted       22   the data ended before the budget
├── CheckpointFailed      23   a checkpoint could not be written or did not verify
└── Interrupted           130  a signal ended the command
"""

from __future__ import annotations

from typing import ClassVar

from pv_trainer.error_ids import REMEDIES
from pv_trainer.exit_status import ExitStatus


class AprError(Exception):
    """A failure that a user can act on: the falsifier it belongs to, what is wrong, the remedy.

    Args:
        error_id: one of the keys of `error_ids.MEANINGS`; readable as `.id`.
        what: where, what is, and what should be.
        remedy: what to do; None for what `error_ids.REMEDIES` says of the ID, if anything.
    """

    status: ClassVar[ExitStatus] = ExitStatus.USAGE

    def __init__(self, error_id: str, what: str, remedy: str | None = None) -> None:
        super().__init__(error_id, what, remedy)
        self.id = error_id
        self.what = what
        self.remedy = remedy or REMEDIES.get(error_id)

    def __str__(self) -> str:
        text = f"[{self.id}] {self.what}"
        if self.remedy is None:
            return text
        # Below a list of findings the remedy has a line of its own.
        return f"{text}\n{self.remedy}" if "\n" in self.what else f"{text}; {self.remedy}"


class UsageError(AprError):
    """The command line, or a call, that cannot mean anything."""

    status = ExitStatus.USAGE


class InitInvalid(AprError):
    """A checkpoint that must not be trained from."""

    status = ExitStatus.INIT_INVALID


class DataInvalid(AprError):
    """A corpus, shard, manifest or tokenizer that must not be trained on."""

    status = ExitStatus.DATA_INVALID


class DeviceUnavailable(AprError):
    """The device that was asked for is not there; nothing falls back in silence."""

    status = ExitStatus.DEVICE_UNAVAILABLE


class Divergence(AprError):
    """The validation loss left the bound that stops a run."""

    status = ExitStatus.DIVERGENCE


class NumericalInstability(AprError):
    """A loss, gradient norm or weight that is not finite."""

    status = ExitStatus.NUMERICAL_INSTABILITY


class StreamExhausted(AprError):
    """The training data ended before the budget did, and cycling was not asked for."""

    status = ExitStatus.STREAM_EXHAUSTED


class CheckpointFailed(AprError):
    """A checkpoint that could not be written, or that did not verify after it was written."""

    status = ExitStatus.CHECKPOINT_FAILED


class Interrupted(AprError):
    """A signal ended the command."""

    status = ExitStatus.INTERRUPTED
