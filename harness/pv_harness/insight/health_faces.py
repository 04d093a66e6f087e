"""The health of a project as a terminal shows it, and as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pv_harness.board.lines import Painter, cells, pad, wrap
from pv_harness.board.phrases import Tone, harmless
from pv_harness.insight.finding import Concern
from pv_harness.wording import counted


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pv_harness.insight.finding import Finding, Timing
    from pv_harness.insight.health import Health

FORMAT = "pv-health/1"


def render_text(health: Health, *, width: int, color: bool = False) -> str:
    """The findings in lines of at most `width` columns, the gravest last, then the counts."""
    painter = Painter(color=color)
    lines: list[str] = []
    if health.timings:
        lines += [painter.paint("slowest", "bold"), *_timing_lines(health.timings), ""]
    for concern in reversed(Concern):
        found = health.of(concern)
        if found:
            lines += [*_concern_lines(concern, found, health.falsifiers, width, painter), ""]
    lines += wrap(summarise(health), width)
    return "\n".join(line.rstrip() for line in lines)


def render_json(health: Health) -> str:
    """The findings, timings and counts as JSON text; ASCII, ends with a newline."""
    document: dict[str, Any] = {
        "format": FORMAT,
        "counts": {
            "falsifiers": health.falsifiers,
            "runs": health.runs,
            "patches": health.patches,
            "grave": len(health.grave),
            "by_concern": {c.value: len(health.of(c)) for c in Concern},
        },
        "findings": [
            {**asdict(found), "concern": found.concern.value, "advice": found.concern.is_advice}
            for found in health.findings
        ],
        "slowest": [{**asdict(timing), "total_s": timing.total_s} for timing in health.timings],
    }
    return json.dumps(document, indent=1, sort_keys=True, allow_nan=False) + "\n"


def summarise(health: Health) -> str:
    """The counts in one line, with what they were counted over."""
    concerned = len({found.falsifier for found in health.grave})
    advice = len(health.findings) - len(health.grave)
    return (
        f"{concerned} of {counted(health.falsifiers, 'falsifier')} with something to look at · "
        f"{counted(len(health.grave), 'finding')}, {counted(advice, 'piece')} of advice · "
        f"from {counted(health.runs, 'run')} and {counted(health.patches, 'planted change')}"
    )


def _concern_lines(
    concern: Concern, found: Sequence[Finding], total: int, width: int, painter: Painter
) -> Iterator[str]:
    concerned = len({finding.falsifier for finding in found})
    advice = " (advice)" if concern.is_advice else ""
    style = "bold" if concern.is_advice else Tone.OPEN
    yield painter.paint(f"{concern.value}: {concerned} of {total}{advice}", style)
    yield from (painter.paint(line, "dim") for line in wrap(concern.meaning, width, "  "))
    cures = {finding.cure for finding in found}
    for finding in found:
        first = f"  {harmless(finding.falsifier)}  "
        if cells(first) + cells(harmless(finding.text)) <= width:
            yield first + harmless(finding.text)
        else:
            yield first
            yield from wrap(finding.text, width, "      ")
        if len(cures) > 1:
            yield from wrap(finding.cure, width, "      → ")
    if len(cures) == 1:
        yield from wrap(found[0].cure, width, "      → ")


def _timing_lines(timings: Sequence[Timing]) -> Iterator[str]:
    column = max(cells(harmless(timing.falsifier)) for timing in timings)
    for timing in timings:
        planted = f"  {timing.planted_s:7.1f} s for {timing.planted} planted"
        yield (
            f"  {pad(harmless(timing.falsifier), column)}  {timing.measured_s:7.1f} s"
            f"{planted if timing.planted else ''}"
        )
