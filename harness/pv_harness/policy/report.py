"""The answer of a gate as text for people, JSON for programs, annotations for a workflow."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pv_harness.board.github import Annotation
from pv_harness.board.lines import wrap
from pv_harness.board.phrases import harmless, short_status
from pv_harness.exit_code import ExitCode
from pv_harness.policy.gate import Outcome


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pv_harness.policy.conditions import Failure
    from pv_harness.policy.gate import GateAnswer, GateDecision, GateResult
    from pv_harness.policy.policy import Waiver

FORMAT = "pv-gate/1"
_LABEL = 14


def render_gate_text(answer: GateAnswer, *, width: int) -> str:
    """What stands in the way and what would cure it, what is excused, and the decision last."""
    decision = answer.decision
    lines: list[str] = []
    for result in decision.of(Outcome.FAILED):
        lines += _failed_lines(result, width)
    for result in decision.of(Outcome.WAIVED):
        lines += wrap(_waived_text(result), width, "waived  ", "    ")
    for result in decision.of(Outcome.ALLOWED):
        text = f"{result.row.falsifier.id}: {_first_text(result)}"
        lines += wrap(text, width, "allowed by the ratchet  ", "    ")
    lines += [line for text in _loose_texts(answer) for line in wrap(text, width, "", "    ")]
    lines += [line for p in answer.problems for line in wrap(str(p), width, "", "    ")]
    lines += [line for f in answer.findings for line in wrap(str(f), width, "", "    ")]
    lines += wrap(summary_of(answer), width, "", "    ")
    return "\n".join(lines) + "\n"


def summary_of(answer: GateAnswer) -> str:
    """The decision, its denominator, and all that is in none, in one sentence."""
    decision = answer.decision
    name = f" {decision.policy.name}" if decision.policy.name else ""
    word = "passed" if answer.exit_code is ExitCode.SATISFIED else "not passed"
    passed = len(decision.of(Outcome.PASSED))
    parts = [f"gate{name} {word}: {passed} of {len(decision.judged)} falsifiers"]
    for outcome, text in (
        (Outcome.WAIVED, "waived"),
        (Outcome.ALLOWED, "allowed by the ratchet"),
        (Outcome.LEFT_OUT, "blocked and left out"),
        (Outcome.NOT_ASKED, "not asked about"),
    ):
        if count := len(decision.of(outcome)):
            parts.append(f"{count} {text}")
    for count, noun in (
        (len(decision.loose), "line to delete from the ratchet"),
        (len(answer.problems), "waiver that nothing needs"),
        (len(answer.findings), "finding in the evidence"),
    ):
        if count:
            parts.append(f"{count} {noun}" if count == 1 else f"{count} {_plural(noun)}")
    if not decision.judged:
        parts.append("nothing judged")
    return " · ".join(parts)


def render_gate_json(answer: GateAnswer, *, derived: str) -> str:
    """The answer as JSON of the schema gate-v1; `derived` is the time as ISO 8601."""
    decision = answer.decision
    document = {
        "format": FORMAT,
        "derived": derived,
        "policy": decision.policy.name,
        "passed": answer.exit_code is ExitCode.SATISFIED,
        "exit_code": int(answer.exit_code),
        "counts": {
            "judged": len(decision.judged),
            **{outcome.value: len(decision.of(outcome)) for outcome in Outcome},
        },
        "falsifiers": [_json_result(result) for result in decision.results],
        "ratchet_lines_to_delete": [
            {"falsifier": name, "path": answer.ratchet.path, "line": answer.ratchet.lines[name]}
            for name in decision.loose
            if answer.ratchet is not None
        ],
        "problems": [
            {
                "path": p.path,
                "line": p.line,
                "column": p.column,
                "code": p.code,
                "message": p.message,
            }
            for p in answer.problems
        ],
        "findings": [
            {
                "kind": f.kind.value,
                "file": f.file.as_posix(),
                "what": f.what,
                "remedy": f.remedy,
            }
            for f in answer.findings
        ],
    }
    return json.dumps(document, indent=1, sort_keys=True, allow_nan=False) + "\n"


def render_gate_github(answer: GateAnswer, *, lines: Mapping[str, int]) -> str:
    """One workflow command for each thing in the way, at its place; the decision last.

    `lines` holds the line of each falsifier in the file of its contract.
    """
    shown = [
        str(annotation)
        for annotation in (*_annotations(answer, lines), *_ratchet_annotations(answer))
    ]
    shown += [
        str(Annotation("error", p.code, p.message, p.path, p.line, p.column))
        for p in answer.problems
    ]
    shown += [
        str(Annotation("error", f"evidence {f.kind.value}", str(f), f.file.as_posix()))
        for f in answer.findings
    ]
    return "\n".join([*shown, harmless(summary_of(answer))]) + "\n"


def _annotations(answer: GateAnswer, lines: Mapping[str, int]) -> Iterator[Annotation]:
    for outcome, level in (
        (Outcome.FAILED, "error"),
        (Outcome.WAIVED, "notice"),
        (Outcome.ALLOWED, "notice"),
    ):
        for result in answer.decision.of(outcome):
            row = result.row
            title = f"{row.falsifier.id}: {short_status(row.status)}"
            text = "\n".join(f"{f.text}\nTo change that: {f.cure}" for f in result.failures)
            if outcome is Outcome.WAIVED:
                text = _waived_text(result)
            line = lines.get(row.falsifier.id)
            yield Annotation(level, title, text, str(row.contract.path), line)


def _ratchet_annotations(answer: GateAnswer) -> Iterator[Annotation]:
    if answer.ratchet is not None:
        for name, text in zip(answer.decision.loose, _loose_texts(answer), strict=True):
            title = f"{name}: delete this line"
            line = answer.ratchet.lines[name]
            yield Annotation("error", title, text, answer.ratchet.path, line)


def _failed_lines(result: GateResult, width: int) -> Iterator[str]:
    wanted = result.required.value if result.required else ""
    head = f"{result.row.falsifier.id}: {short_status(result.row.status)}, {wanted} is required"
    yield from wrap(head, width, "", "    ")
    cures = [failure.cure for failure in result.failures]
    for number, failure in enumerate(result.failures, 1):
        yield from wrap(failure.text, width, f"  {failure.condition:<{_LABEL - 2}}")
        # What cures several conditions is said once, below the last of them.
        if failure.cure and failure.cure not in cures[number:]:
            yield from wrap(failure.cure, width, " " * (_LABEL - 2) + "→ ")


def _waived_text(result: GateResult) -> str:
    waiver = result.waiver
    assert waiver is not None
    what = f"{short_status(result.row.status)}: {_first_text(result)}"
    return (
        f"{result.row.falsifier.id} until {waiver.expires} by {waiver.owner} "
        f"({waiver.id}, {waiver.issue}): {what}"
    )


def _first_text(result: GateResult) -> str:
    return result.failures[0].text


def _loose_texts(answer: GateAnswer) -> list[str]:
    ratchet, decision = answer.ratchet, answer.decision
    if ratchet is None:
        return []
    return [
        f"{ratchet.path}:{ratchet.lines[name]}: {name} {_why_loose(decision, name)}; "
        f"delete the line: pv gate --policy {decision.policy.name} --update-ratchet"
        for name in decision.loose
    ]


def _why_loose(decision: GateDecision, name: str) -> str:
    known = {result.row.falsifier.id: result.outcome for result in decision.results}
    match known.get(name):
        case Outcome.PASSED:
            return "is good enough now"
        case Outcome.NOT_ASKED:
            return "is not asked about by this policy"
        case _:
            return "is no falsifier of this project"


def _json_result(result: GateResult) -> dict[str, Any]:
    row = result.row
    return {
        "id": row.falsifier.id,
        "contract": row.contract.id,
        "path": str(row.contract.path),
        "status": str(row.status),
        "outcome": result.outcome.value,
        "required": result.required.value if result.required else None,
        "failures": [_json_failure(failure) for failure in result.failures],
        "waiver": _json_waiver(result.waiver) if result.waiver else None,
    }


def _json_failure(failure: Failure) -> dict[str, Any]:
    return {
        "condition": failure.condition,
        "text": failure.text,
        "cure": failure.cure,
        "exit_code": int(failure.code),
    }


def _json_waiver(waiver: Waiver) -> dict[str, Any]:
    return {
        "id": waiver.id,
        "owner": waiver.owner,
        "issue": waiver.issue,
        "reason": waiver.reason,
        "created": waiver.created.isoformat(),
        "expires": waiver.expires.isoformat(),
    }


def _plural(noun: str) -> str:
    head, _, rest = noun.partition(" ")
    return f"{head}s {rest}"
