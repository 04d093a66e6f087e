"""The scoreboard as JUnit XML: one suite per contract, one case per falsifier.

Readers know pass, failure, error and skipped. A suite is free of failures and errors exactly
where `pv scoreboard` would end with 0, so that a dashboard and an exit code never disagree:
refuted and vacuous claims are failures; a stale, missing or broken one is an error, since
nothing is known of it; only what can't be judged here, or is waived, is skipped. Where every
case is skipped, one more is an error: nothing was judged.

Source: the elements and attributes that pytest's and Jenkins' junit-10.xsd agree on.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from pv_harness.board.phrases import (
    Tone,
    reason_of,
    short_status,
    show_judgement,
    show_potency,
    tone_of,
)
from pv_harness.exit_code import ExitCode


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pv_harness.board.scoreboard import Row, Scoreboard
    from pv_harness.contracts.contract import Contract
    from pv_harness.judging.measurement import Judgement

_OUTCOMES = {
    Tone.GOOD: None,
    Tone.BELOW: None,
    Tone.EXCUSED: "skipped",
    Tone.AWAY: "skipped",
    Tone.OPEN: "error",
    Tone.BROKEN: "error",
    Tone.BAD: "failure",
}
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML 1.0 document may hold, not even escaped."""
_LONGEST_TEXT = 100_000


def render_junit(
    board: Scoreboard, *, now_s: float, lines: Mapping[str, int] | None = None
) -> str:
    """The board as JUnit XML, valid for any text that contracts and logs hold.

    Args:
        board: the rows.
        now_s: when the board was derived; the timestamp of every suite.
        lines: falsifier ID -> its line in the contract's file, where known.
    """
    root = Element("testsuites", name="pv")
    for contract, rows in board.by_contract():
        root.append(_suite(contract, rows, now_s, lines or {}))
    red = any(suite.get(name) != "0" for suite in root for name in ("failures", "errors"))
    if board.exit_code is not ExitCode.SATISFIED and not red:
        root.append(_nothing_judged(now_s))
    for name in ("tests", "failures", "errors", "skipped"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    indent(root)
    # ASCII, so that no terminal or shell can damage it on the way to a file.
    data: bytes = tostring(root, encoding="us-ascii", xml_declaration=True)
    return data.decode("ascii") + "\n"


def _suite(
    contract: Contract, rows: Sequence[Row], now_s: float, lines: Mapping[str, int]
) -> Element:
    outcomes = [_OUTCOMES[tone_of(row.status)] for row in rows]
    suite = Element(
        "testsuite",
        name=xml_text(contract.id),
        tests=str(len(rows)),
        failures=str(outcomes.count("failure")),
        errors=str(outcomes.count("error")),
        skipped=str(outcomes.count("skipped")),
        time=f"{sum(_seconds(row) for row in rows):.3f}",
        timestamp=_timestamp(now_s),
    )
    suite.extend(_case(row, lines.get(row.falsifier.id)) for row in rows)
    return suite


def _nothing_judged(now_s: float) -> Element:
    """A suite of one error, so that skipped cases alone are no pass."""
    suite = Element(
        "testsuite",
        name="pv",
        tests="1",
        failures="0",
        errors="1",
        skipped="0",
        time="0.000",
        timestamp=_timestamp(now_s),
    )
    case = SubElement(suite, "testcase", classname="pv", name="nothing judged", time="0.000")
    SubElement(case, "error", message="no counted falsifier was judged", type="NOTHING_JUDGED")
    return suite


def _timestamp(now_s: float) -> str:
    return datetime.fromtimestamp(now_s, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _case(row: Row, line: int | None) -> Element:
    status = row.status
    case = Element(
        "testcase",
        classname=xml_text(row.contract.id),
        name=xml_text(row.falsifier.id),
        file=xml_text(str(row.contract.path)),
        time=f"{_seconds(row):.3f}",
    )
    if line is not None:
        case.set("line", str(line))
    properties = SubElement(case, "properties")
    for name, value in _facts(row):
        SubElement(properties, "property", name=xml_text(name), value=xml_text(value))
    outcome = _OUTCOMES[tone_of(status)]
    if outcome is not None:
        why = xml_text(f"{short_status(status)}: {reason_of(status)}")
        element = SubElement(case, outcome, message=why)
        if outcome != "skipped":
            element.set("type", status.kind.value)
            element.text = xml_text(_details(row))
    return case


def _facts(row: Row) -> Iterator[tuple[str, str]]:
    status, record = row.status, row.status.record
    yield "status", str(status)
    if status.level is not None:
        yield "level", status.level.value
    yield "ceiling", status.ceiling.value
    yield "counted", "true" if row.falsifier.counted else "false"
    yield "rule", row.falsifier.rule
    if status.potency.planted:
        yield "potency", show_potency(row)
    if record is not None:
        yield "fingerprint", record.manifest.fingerprint
        yield "evidence", record.statement
        yield "lane", record.lane
        yield "attempt", str(record.attempt)
    for judgement in row.judgements:
        yield from _measured(judgement)


def _measured(judgement: Judgement) -> Iterator[tuple[str, str]]:
    """The number alone, so that a dashboard can plot it; then what it means, in words."""
    measurement, seed = judgement.measurement, judgement.measurement.seed
    name = judgement.bound.metric + (f"[seed {seed}]" if seed is not None else "")
    value = measurement.value
    yield f"measurement:{name}", str(value).lower() if isinstance(value, bool) else str(value)
    yield f"judgement:{name}", show_judgement(judgement)


def _details(row: Row) -> str:
    status = row.status
    cure = f"to change that: {status.cure}" if status.cure else ""
    red = status.record is not None and tone_of(status) in {Tone.BAD, Tone.BROKEN}
    printed = status.record.reason if status.record is not None and red else ""
    return "\n\n".join(filter(None, (reason_of(status), cure, printed)))


def _seconds(row: Row) -> float:
    record = row.status.record
    return record.duration_s if record is not None else 0.0


def xml_text(text: str) -> str:
    """The text without what XML has no form for; a very long one keeps its end."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text[-_LONGEST_TEXT:])
