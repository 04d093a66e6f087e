"""How far a release is: as text for a terminal, as Markdown, and as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pv_harness.board.lines import wrap
from pv_harness.board.markdown import escape_markdown
from pv_harness.policy.release import StepState


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pv_harness.policy.release import Need, ReleaseStanding, StepStanding

FORMAT = "pv-release/1"
_LABEL = 8
_SHOWN = 3
"""Falsifiers that a step names for one reason; the list of requirements names all."""


def counts_of(standing: ReleaseStanding) -> str:
    """The counted fraction, and how much of its denominator is not written yet."""
    met, asked = len(standing.met), len(standing.needs)
    text = f"{met} of {asked} requirements met ({standing.percent} %)"
    if standing.missing:
        text += f" · {len(standing.missing)} of them not written yet"
    done = sum(s.state is StepState.DONE for s in standing.steps)
    return f"{text} · {done} of {len(standing.steps)} steps done"


def render_release_text(standing: ReleaseStanding, *, width: int) -> str:
    """Steps in the file's order, requirements that are not met, and last the counts."""
    release = standing.release
    lines = [*wrap(f"{release.id} {release.version}: {release.title}", width), ""]
    column = max(len(s.step.id) for s in standing.steps)
    for step in standing.steps:
        lines += _step_lines(step, column, width)
    unmet = [need for need in standing.needs if not need.met]
    if unmet:
        lines += ["", f"not met: {len(unmet)} of {len(standing.needs)}"]
    for why, names in _by_reason(unmet):
        lines += wrap(f"{why} ({len(names)}): {', '.join(names)}", width, "  ", "      ")
    lines += ["", *wrap(counts_of(standing), width), *wrap(_next_text(standing), width)]
    return "\n".join(lines) + "\n"


def render_release_markdown(standing: ReleaseStanding) -> str:
    """The same as Markdown; every text from contracts and evidence is escaped."""
    release = standing.release
    lines = [f"# {escape_markdown(release.title)}", ""]
    lines += [f"{escape_markdown(f'{release.id} {release.version}: {counts_of(standing)}')}."]
    lines += ["", escape_markdown(_next_text(standing)), "", "## Steps", ""]
    lines += ["| step | is | waits for | command |", "|---|---|---|---|"]
    for step in standing.steps:
        waits = "; ".join(_waits_for(step))
        cells = (f"{step.step.id}: {step.step.title}", step.state.value, waits)
        shown = " | ".join(escape_markdown(cell) for cell in cells)
        lines.append(f"| {shown} | {escape_markdown(step.step.command)} |")
    lines += ["", "## Requirements", "", "| requirement | asked | met | why not |"]
    lines += ["|---|---|---|---|"]
    for need in standing.needs:
        wanted = need.required.value if need.required else "ceiling"
        cells_of = (need.name, wanted, "yes" if need.met else "no", need.why)
        lines.append("| " + " | ".join(escape_markdown(cell) for cell in cells_of) + " |")
    return "\n".join(lines) + "\n"


def render_release_json(standing: ReleaseStanding, *, derived: str) -> str:
    """The same as JSON; `derived` is the time as ISO 8601."""
    release, following = standing.release, standing.next_step
    document = {
        "format": FORMAT,
        "derived": derived,
        "id": release.id,
        "version": release.version,
        "title": release.title,
        "path": release.path,
        "exit_code": int(standing.exit_code),
        "counts": {
            "met": len(standing.met),
            "required": len(standing.needs),
            "percent": standing.percent,
            "not_written": len(standing.missing),
        },
        "next_step": following.step.id if following else None,
        "requirements": [_json_need(need) for need in standing.needs],
        "steps": [
            {
                "id": s.step.id,
                "title": s.step.title,
                "state": s.state.value,
                "command": s.step.command,
                "needs": list(s.step.needs),
                "open_steps": list(s.open_steps),
                "falsifiers": [_json_need(need) for need in s.needs],
            }
            for s in standing.steps
        ],
    }
    return json.dumps(document, indent=1, sort_keys=True, allow_nan=False) + "\n"


def _step_lines(standing: StepStanding, column: int, width: int) -> Iterator[str]:
    step = standing.step
    head = f"  {standing.state.value:<{_LABEL}} {step.id:<{column}}  "
    yield from wrap(step.title, width, head)
    if standing.state is StepState.DONE:
        return
    indent = " " * (_LABEL + 3)
    for text in _waits_for(standing):
        yield from wrap(text, width, f"{indent}↳ ")
    if standing.state in {StepState.NEXT, StepState.READY}:
        yield from wrap(step.command, width, f"{indent}→ ")


def _waits_for(standing: StepStanding) -> Iterator[str]:
    """Why a step is not done: the steps before it, then its own falsifiers."""
    if standing.open_steps:
        yield f"needs {', '.join(standing.open_steps)}"
    for why, names in _by_reason(standing.open_needs):
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        yield f"{why}: {', '.join(names[:_SHOWN])}{more}"


def _by_reason(needs: Sequence[Need]) -> Iterator[tuple[str, list[str]]]:
    """Why needs are not met, each reason with the names that it holds for."""
    groups: dict[str, list[str]] = {}
    for need in needs:
        groups.setdefault(need.why, []).append(need.name)
    yield from groups.items()


def _next_text(standing: ReleaseStanding) -> str:
    following = standing.next_step
    if following is None:
        return "next: nothing, all steps are done"
    return f"next: {following.step.id}, {following.step.title}: {following.step.command}"


def _json_need(need: Need) -> dict[str, Any]:
    return {
        "name": need.name,
        "written": need.row is not None,
        "required": need.required.value if need.required else "ceiling",
        "status": str(need.row.status) if need.row else None,
        "met": need.met,
        "why": need.why,
        "cure": need.cure,
    }
