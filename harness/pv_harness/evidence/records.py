"""What evidence says about one falsifier: the result of a run, and of a planted change."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Mapping

    from pv_harness.fingerprint.manifest import Manifest
    from pv_harness.judging.measurement import Measurement


class Verdict(Enum):
    """How all checks of one falsifier ended together, in one run."""

    PASSED = "PASSED"
    FAILED = "FAILED"
    ERROR = "ERROR"
    SKIPPED = "SKIPPED"
    BLOCKED = "BLOCKED"


class PatchOutcome(Enum):
    """What a planted change did. Of a defect only KILLED counts, of a control only GREEN."""

    KILLED = "KILLED"
    SURVIVED = "SURVIVED"
    KILLED_FOR_ANOTHER_REASON = "KILLED_FOR_ANOTHER_REASON"
    KILLED_BY_CRASH = "KILLED_BY_CRASH"
    TIMEOUT = "TIMEOUT"
    VOID = "VOID"
    """The patch does not apply, changes nothing or does not compile."""
    RED_ON_ARRIVAL = "RED_ON_ARRIVAL"
    """The falsifier was not green before anything was planted."""
    GREEN = "GREEN"
    RED = "RED"

    @property
    def counts(self) -> bool:
        """True for what a planted change is there to show."""
        return self is PatchOutcome.KILLED or self is PatchOutcome.GREEN

    @property
    def is_settled(self) -> bool:
        """False for what says nothing about the change itself: planted again, it may differ."""
        return self not in {
            PatchOutcome.TIMEOUT,
            PatchOutcome.VOID,
            PatchOutcome.RED_ON_ARRIVAL,
        }


@dataclass(frozen=True, slots=True)
class Series:
    """A curve that a check recorded for people to look at, a loss by step say; never judged.

    Attributes:
        x: positions, ascending; as many as `y`.
        y: values; may hold NaN and infinities.
        x_unit: what x counts, `step` say.
        node: the check that recorded it.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    x_unit: str | None = None
    unit: str | None = None
    node: str = ""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One falsifier in one run.

    Attributes:
        reason: for anything but PASSED, what was seen.
        reached: entry points entered in processes that the checks started.
        reached_in_process: entry points entered only in the checks' own process.
        opened: files below the root that were read and are neither source nor declared input.
        attempt: 1 for the first measurement in a run, 2 for the first retry, and so on.
        finished_s: seconds since the epoch.
        environment: the machine and versions, as strings.
        statement: digest of the statement that holds the record; empty before it is stored.
    """

    falsifier_id: str
    verdict: Verdict
    manifest: Manifest
    measurements: tuple[Measurement, ...] = ()
    series: tuple[Series, ...] = ()
    broken: tuple[str, ...] = ()
    reason: str = ""
    checks: tuple[str, ...] = ()
    reached: tuple[str, ...] = ()
    reached_in_process: tuple[str, ...] = ()
    opened: tuple[str, ...] = ()
    attempt: int = 1
    cuda_peak_bytes: int = 0
    duration_s: float = 0.0
    finished_s: float = 0.0
    environment: Mapping[str, str] | None = None
    statement: str = ""

    @property
    def lane(self) -> str:
        """The device that did the work: `cuda` if its memory was used, else `cpu`."""
        return "cuda" if self.cuda_peak_bytes > 0 else "cpu"


@dataclass(frozen=True, slots=True)
class PatchRecord:
    """One planted defect, or control, of one falsifier.

    Attributes:
        lane: the device of the run that the patch was planted into, `cpu` or `cuda`.
    """

    falsifier_id: str
    patch_id: str
    patch_digest: str
    outcome: PatchOutcome
    manifest: Manifest
    reason: str = ""
    duration_s: float = 0.0
    finished_s: float = 0.0
    environment: Mapping[str, str] | None = None
    statement: str = ""
    lane: str = "cpu"
