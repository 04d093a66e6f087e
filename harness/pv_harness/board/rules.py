"""The rules as a list, as the explanation of one, as JSON, and as docs/rules.md."""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING

from pv_harness.board.lines import Painter, wrap
from pv_harness.board.phrases import Tone
from pv_harness.contracts.rule_codes import RULE_CODES
from pv_harness.contracts.rule_examples import RULE_EXAMPLES


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pv_harness.contracts.rule_codes import RuleCode

_HEAD = """\
# Rules

Made from the table of codes by `python docs/rules.py`. `pv rules` lists them, `pv rules PV052`
explains one, and `pv validate --explain` shows the line that a problem is about.

A code is permanent: it is never given to another rule. Each is proven by a file that fires it
and one beside it that does not, in tests/harness/validating; the examples are lines of those.
"""


def render_rule_list(*, width: int) -> str:
    """All codes with their titles, by family. Ends without a newline."""
    lines: list[str] = []
    for family, rules in groupby(RULE_CODES.values(), key=lambda rule: rule.family):
        lines += ["", family] if lines else [family]
        for rule in rules:
            lines += wrap(rule.title, width, f"  {rule.code}  ")
    return "\n".join([*lines, "", "pv rules CODE explains one, with a bad and a good example"])


def render_rule(rule: RuleCode, *, width: int, color: bool = False) -> str:
    """One rule: cause, remedy, a bad and a good example. Ends without a newline."""
    painter = Painter(color=color)
    example = RULE_EXAMPLES[rule.code]
    lines = [f"{painter.paint(rule.code, 'bold')} {rule.title} ({rule.family})", ""]
    for word, text in (("cause", rule.cause), ("remedy", rule.remedy)):
        lines += wrap(text, width, f"{word + ':':<8} ")
    for word, text, tone in (("bad", example.bad, Tone.BAD), ("good", example.good, Tone.GOOD)):
        lines += ["", painter.paint(f"{word}:", tone)]
        lines += [f"    {line}" for line in text.split("\n")]
    return "\n".join(lines)


def render_rules_json(rules: Iterable[RuleCode]) -> str:
    """The rules as a JSON list, in the order given."""
    listed = [
        {
            "code": rule.code,
            "family": rule.family,
            "title": rule.title,
            "cause": rule.cause,
            "remedy": rule.remedy,
            "bad": RULE_EXAMPLES[rule.code].bad,
            "good": RULE_EXAMPLES[rule.code].good,
        }
        for rule in rules
    ]
    return json.dumps(listed, indent=1) + "\n"


def render_rules_markdown() -> str:
    """All rules as a Markdown document."""
    lines = [_HEAD]
    for family, rules in groupby(RULE_CODES.values(), key=lambda rule: rule.family):
        lines.append(f"## {family[0].upper()}{family[1:]}\n")
        for rule in rules:
            lines += _section(rule)
    return "\n".join(lines)


def _section(rule: RuleCode) -> Iterator[str]:
    example = RULE_EXAMPLES[rule.code]
    yield f"### {rule.code}: {rule.title}\n"
    yield f"{rule.cause}\n\nRemedy: {rule.remedy}\n"
    yield f"```\n{example.bad}\n```\n"
    yield f"instead:\n\n```\n{example.good}\n```\n"
