"""The falsifiers of a project, chosen by what they claim and how they stand."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from pv_harness.board.lines import Painter, cells, cut, pad, wrap
from pv_harness.board.phrases import label_of
from pv_harness.deriving.status import StatusKind
from pv_harness.errors import UsageError
from pv_harness.wording import counted


if TYPE_CHECKING:
    from collections.abc import Sequence

    from pv_harness.board.scoreboard import Row
    from pv_harness.contracts.contract import Level
    from pv_harness.deriving.status import Status

FORMAT = "pv-list/1"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows are asked for; an empty part asks for nothing.

    Attributes:
        levels: ceilings.
        kinds: kinds of status; with `held`, either will do.
        held: levels that hold now.
        below: only what is not at its ceiling.
        covers: a module, or a pattern; a package means what lies below it too.
        contract: a contract's ID, or a pattern.
    """

    levels: tuple[Level, ...] = ()
    kinds: tuple[StatusKind, ...] = ()
    held: tuple[Level, ...] = ()
    below: bool = False
    covers: str = ""
    contract: str = ""

    def takes(self, row: Row) -> bool:
        """True for a row that has everything that is asked for."""
        return (
            (not self.levels or row.falsifier.ceiling in self.levels)
            and self._has_status(row.status)
            and not (self.below and row.status.at_ceiling)
            and (not self.covers or any(map(self._is_covered, row.falsifier.covers)))
            and (not self.contract or fnmatchcase(row.contract.id, self.contract))
        )

    def _has_status(self, status: Status) -> bool:
        if not (self.kinds or self.held):
            return True
        holds = status.kind is StatusKind.LEVEL and status.level in self.held
        return holds or status.kind in self.kinds

    def _is_covered(self, module: str) -> bool:
        return fnmatchcase(module, self.covers) or module.startswith(f"{self.covers}.")


def choose(rows: Sequence[Row], wanted: Wanted) -> tuple[Row, ...]:
    """The rows that are asked for, in their order.

    Raises:
        UsageError: nothing covers the module, or no contract has that ID.
    """
    modules = {module for row in rows for module in row.falsifier.covers}
    _refuse_unknown(rows, Wanted(covers=wanted.covers), wanted.covers, modules, "covered")
    contracts = {row.contract.id for row in rows}
    only = Wanted(contract=wanted.contract)
    _refuse_unknown(rows, only, wanted.contract, contracts, "a contract")
    return tuple(row for row in rows if wanted.takes(row))


def render_text(rows: Sequence[Row], total: int, *, width: int, color: bool = False) -> str:
    """The rows in lines of at most `width` columns, then how many of `total` they are."""
    painter = Painter(color=color)
    name = max([0, *(cells(label_of(row)) for row in rows)])
    lines: list[str] = []
    for row in rows:
        lines.append(cut(f"{pad(label_of(row), name)}  {_level_of_ceiling(row)}", width))
        claim = row.falsifier
        about = [
            counted(len(row.checks), "check"),
            counted(len(claim.defects), "defect"),
            counted(len(claim.controls), "control"),
            *(str(bound) for bound in claim.bounds),
        ]
        details = (*wrap(claim.rule, width, "    "), *wrap(" · ".join(about), width, "    "))
        lines += (painter.paint(line, "dim") for line in details)
    lines += ["", f"{len(rows)} of {counted(total, 'falsifier')}"]
    return "\n".join(line.rstrip() for line in lines)


def render_json(rows: Sequence[Row], total: int) -> str:
    """The rows as JSON text; ASCII, ends with a newline."""
    document = {"format": FORMAT, "of": total, "falsifiers": [_row(row) for row in rows]}
    return json.dumps(document, indent=1, sort_keys=True, allow_nan=False) + "\n"


def _row(row: Row) -> dict[str, Any]:
    claim = row.falsifier
    return {
        "id": claim.id,
        "contract": row.contract.id,
        "rule": claim.rule,
        "ceiling": claim.ceiling.value,
        "status": str(row.status),
        "kind": row.status.kind.value,
        "level": row.status.level.value if row.status.level else None,
        "counted": claim.counted,
        "requires": claim.requires,
        "covers": list(claim.covers),
        "bounds": [str(bound) for bound in claim.bounds],
        "checks": [check.node_id for check in row.checks],
        "defects": [defect.id for defect in claim.defects],
        "controls": [control.id for control in claim.controls],
    }


def _refuse_unknown(
    rows: Sequence[Row], wanted: Wanted, name: str, known: set[str], what: str
) -> None:
    if not name or any(wanted.takes(row) for row in rows):
        return
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.6)
    hint = f"did you mean {near[0]}?" if near else "`pv list` shows what there is"
    raise UsageError(f"{name!r} is not {what} here; {hint}")


def _level_of_ceiling(row: Row) -> str:
    """`PARTIAL/INTEGRATION`, and `NOT_RUN/INTEGRATION` where no level holds."""
    return f"{row.status.word}/{row.status.ceiling.value}"
