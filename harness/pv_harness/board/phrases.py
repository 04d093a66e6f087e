"""What every face of the board calls a status, a value, an age and a reason."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from pv_harness.contracts.contract import show_value
from pv_harness.deriving.status import StatusKind
from pv_harness.exit_code import ExitCode


if TYPE_CHECKING:
    from collections.abc import Iterable

    from pv_harness.board.scoreboard import Row
    from pv_harness.contracts.contract import Plant
    from pv_harness.deriving.status import Status
    from pv_harness.judging.measurement import Judgement


class Tone(Enum):
    """How much a status has to be looked at, the least first."""

    GOOD = "at its ceiling"
    BELOW = "below its ceiling"
    EXCUSED = "excused by a waiver"
    AWAY = "can't be judged here"
    OPEN = "not known on this tree"
    BROKEN = "the check itself broke"
    BAD = "refuted, or its check can't fail"

    @property
    def urgency(self) -> int:
        """Position in the order, 0 for what needs no attention."""
        return list(Tone).index(self)


_BY_EXIT_CODE = {
    ExitCode.DENIED: Tone.BAD,
    ExitCode.INFRASTRUCTURE: Tone.BROKEN,
    ExitCode.UNKNOWN: Tone.OPEN,
    None: Tone.AWAY,
}


def tone_of(status: Status) -> Tone:
    """How much this status has to be looked at."""
    if status.kind is StatusKind.LEVEL:
        return Tone.GOOD if status.at_ceiling else Tone.BELOW
    if status.kind is StatusKind.WAIVED:
        return Tone.EXCUSED
    return _BY_EXIT_CODE.get(status.kind.exit_code, Tone.OPEN)


def by_urgency(rows: Iterable[Row]) -> list[Row]:
    """The rows that are not at their ceiling, what is most urgent first."""
    wanting = [row for row in rows if tone_of(row.status) is not Tone.GOOD]
    return sorted(wanting, key=lambda row: -tone_of(row.status).urgency)


def short_status(status: Status) -> str:
    """The status without its reasons: what a column holds."""
    if status.kind is StatusKind.STALE and status.level is not None:
        return f"STALE(was {status.level.value})"
    if status.kind in {StatusKind.LEVEL, StatusKind.BLOCKED, StatusKind.WAIVED}:
        return str(status)
    if _is_unproven(status):
        # Without that it would read as if nothing had been measured.
        return str(status)
    return str(status.kind.value)


def reason_of(status: Status) -> str:
    """Why the status is not higher, in one text; empty at the ceiling."""
    name = status.record.falsifier_id if status.record is not None else ""
    # A check's own failure begins with the ID, which stands beside every reason anyway.
    detail, why = status.detail, status.why.removeprefix(f"[{name}] ")
    if status.kind is StatusKind.BLOCKED:
        return detail
    if status.kind in _WHY_SAYS_ALL or _is_unproven(status) or not detail or detail in why:
        return why or detail
    return f"{detail}: {why}" if why and why not in detail else why or detail


def _is_unproven(status: Status) -> bool:
    return status.kind is StatusKind.NOT_RUN and bool(status.potency.missing and status.detail)


_WHY_SAYS_ALL = frozenset({StatusKind.WAIVED, StatusKind.VACUOUS})


def brief_reason(status: Status) -> str:
    """`reason_of`, without the names of planted changes that simply wait for `pv prove`.

    After `pv run` they are all that every row has to say, and rows that say the same are told
    as one.
    """
    if status.kind is StatusKind.NOT_RUN and status.potency.missing:
        return reason_of(status).partition(": " + status.potency.missing[0])[0]
    return reason_of(status)


def show_judgement(judgement: Judgement) -> str:
    """A measured value beside its bound, with the margin: `loss 2.1 (≤ 2.5, margin 0.4)`."""
    bound, measured = judgement.bound, judgement.measurement
    unit = measured.unit or bound.unit
    value = show_value(measured.value) + (f" {unit}" if unit else "")
    value += f", {judgement.note}" if judgement.note else ""
    beside = f"{bound.comparator.sign} {show_value(bound.threshold)}"
    if judgement.margin is not None:
        beside += f", margin {judgement.margin:.3g}"
    return f"{bound.metric} {value} ({beside})"


def label_of(row: Row) -> str:
    """The falsifier's ID, with a mark where its claim is not counted."""
    return harmless(row.falsifier.id) + ("" if row.falsifier.counted else "¹")


def show_headline(row: Row) -> str:
    """A measurement that broke its bound, else that of the first bound; empty without any."""
    headline = row.headline
    return show_judgement(headline) if headline is not None else ""


def show_potency(row: Row) -> str:
    """Killed of declared defects; per device where the evidence is of several."""
    potency = row.status.potency
    if not potency.planted:
        return ""
    if len(row.lanes) < 2:
        return str(potency)
    lanes = (f"{lane} {row.killed_in(lane)}/{potency.planted}" for lane in row.lanes)
    return " · ".join(lanes)


def show_outcome(outcome: str) -> str:
    """An outcome in words."""
    return outcome.replace("_", " ").lower()


def why_unanswered(row: Row, plant: Plant) -> str:
    """Why no record says what a planted change does on this tree."""
    earlier = [p.record for p in row.patches if p.record.patch_digest == plant.digest]
    if earlier:
        last = max(earlier, key=lambda record: record.finished_s)
        return f"not planted on this tree; {show_outcome(last.outcome.value)} on an earlier one"
    if row.status.kind in _RED_UNPLANTED:
        return "not planted: the check is not green without it"
    return "not planted yet"


_RED_UNPLANTED = frozenset({StatusKind.FAILED, StatusKind.FLAKY, StatusKind.ERROR})


def show_age(seconds: float) -> str:
    """An age in its largest unit: 45s, 12m, 5h, 3d."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{max(0, int(seconds))}s"


def age_of(row: Row, now_s: float) -> str:
    """The age of the record that the status rests on; empty without one."""
    record = row.status.record
    return show_age(now_s - record.finished_s) if record is not None else ""


def harmless(text: str) -> str:
    """The text on one line, without a character that could drive a terminal or reorder text.

    Control characters, escapes, marks of writing direction and lone surrogates become U+FFFD.
    """
    return harmless_line(" ".join(text.split()))


def harmless_line(line: str) -> str:
    """A line with its blanks as they are; else as `harmless`. A tab becomes four blanks."""
    plain = line.expandtabs(4)
    if plain.isprintable():
        return plain
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in plain)
