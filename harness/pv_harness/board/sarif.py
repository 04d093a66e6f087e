"""SARIF 2.1.0, for code scanning: problems of contracts, and falsifiers below their ceiling.

What GitHub asks for beyond the standard is there too: a URI relative to the repository, and a
partial fingerprint that stays when lines move.

Source: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0"; GitHub,
"SARIF support for code scanning".
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pv_harness import __version__
from pv_harness.board.phrases import Tone, harmless, reason_of, tone_of
from pv_harness.contracts.rule_codes import RULE_CODES
from pv_harness.digest import digest_of
from pv_harness.documents.problem import Severity


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pv_harness.board.scoreboard import Row, Scoreboard
    from pv_harness.contracts.rule_codes import RuleCode
    from pv_harness.documents.problem import Problem

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_LEVELS = {
    Tone.BAD: "error",
    Tone.BROKEN: "error",
    Tone.OPEN: "warning",
    Tone.BELOW: "note",
}
"""What is blocked or waived is no finding: nothing about the code is known or asked."""
_LONGEST = 1_000
"""GitHub shows 1,024 characters of a description."""


def render_sarif(board: Scoreboard, *, lines: Mapping[str, int] | None = None) -> str:
    """The rows below their ceiling as SARIF: a rule per falsifier, at its contract's line.

    Args:
        board: the rows.
        lines: falsifier ID -> its line in the contract's file; 1 where it is not known.
    """
    rows = [row for row in board.rows if tone_of(row.status) in _LEVELS]
    rules = [_falsifier_rule(row) for row in rows]
    at = lines or {}
    results = [
        _result(
            index,
            rules,
            level=_LEVELS[tone_of(row.status)],
            text=_message(row),
            place=_place(str(row.contract.path), at.get(row.falsifier.id, 1)),
            identity=[row.falsifier.id],
        )
        for index, row in enumerate(rows)
    ]
    return _log("pv/scoreboard/", rules, results)


def render_sarif_problems(problems: Sequence[Problem]) -> str:
    """Problems of contracts as SARIF: a rule per PV code, each result at its place."""
    used = sorted({problem.code for problem in problems})
    rules = [_code_rule(code, RULE_CODES.get(code)) for code in used]
    results = [
        _result(
            used.index(problem.code),
            rules,
            level="error" if problem.severity is Severity.ERROR else "warning",
            text=problem.message,
            place=_place(problem.path, problem.line, problem.column),
            identity=[problem.code, problem.path, problem.message],
        )
        for problem in problems
    ]
    return _log("pv/validate/", rules, results)


def _log(category: str, rules: list[dict[str, Any]], results: list[dict[str, Any]]) -> str:
    driver = {"name": "pv", "semanticVersion": __version__, "rules": rules}
    run = {
        "tool": {"driver": driver},
        "automationDetails": {"id": category},
        "columnKind": "unicodeCodePoints",
        "results": results,
    }
    document = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(document, indent=1) + "\n"


def _falsifier_rule(row: Row) -> dict[str, Any]:
    falsifier = row.falsifier
    return _rule(
        falsifier.id,
        falsifier.rule,
        f"{falsifier.prediction}. If it fails: {falsifier.if_fails}",
        f"`pv explain {falsifier.id}` shows what was measured, and what would change it.",
    )


def _code_rule(code: str, known: RuleCode | None) -> dict[str, Any]:
    if known is None:
        return _rule(code, code, code, "")
    return _rule(code, known.title, known.cause, known.remedy)


def _rule(identity: str, short: str, full: str, remedy: str) -> dict[str, Any]:
    rule = {
        "id": _text(identity),
        "shortDescription": {"text": _text(short)},
        "fullDescription": {"text": _text(full)},
    }
    return {**rule, "help": {"text": _text(remedy)}} if remedy else rule


def _result(
    index: int,
    rules: Sequence[Mapping[str, Any]],
    *,
    level: str,
    text: str,
    place: Mapping[str, Any],
    identity: Sequence[str],
) -> dict[str, Any]:
    return {
        "ruleId": rules[index]["id"],
        "ruleIndex": index,
        "level": level,
        "message": {"text": _text(text)},
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": {"primaryLocationLineHash": digest_of(list(identity))[:16]},
    }


def _place(path: str, line: int, column: int | None = None) -> dict[str, Any]:
    region = (
        {"startLine": line} if column is None else {"startLine": line, "startColumn": column}
    )
    uri = quote(path, errors="replace")
    below_root = {"uri": uri, "uriBaseId": "%SRCROOT%"}
    location = {"uri": f"file://{uri}"} if path.startswith("/") else below_root
    return {"artifactLocation": location, "region": region}


def _message(row: Row) -> str:
    cure = f" To change that: {row.status.cure}" if row.status.cure else ""
    return f"{row.status}. {reason_of(row.status)}.{cure}"


def _text(text: str) -> str:
    """A text that SARIF takes: not empty, on one line, as long as a reader shows."""
    flat = harmless(text) or "-"
    return flat if len(flat) <= _LONGEST else flat[: _LONGEST - 1] + "…"
