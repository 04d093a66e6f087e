"""From a policy file to policies and waivers, or to every problem in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from pv_harness.contracts.contract import Level
from pv_harness.documents.problem import Problem, Severity, sort_key
from pv_harness.documents.schema_check import schema_problems
from pv_harness.policy.policy import Policy, PolicyFile, Requirement, Waiver
from pv_harness.policy.rules import apply_policy_rules
from pv_harness.wording import show


if TYPE_CHECKING:
    from collections.abc import Mapping

    from pv_harness.documents.document import Document
    from pv_harness.policy.rules import Surroundings

_UNIT_SECONDS = {"m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
SCHEMA = "policy-v1"


@dataclass(frozen=True, slots=True)
class PolicyReading:
    """What a policy file says, and what is wrong with it.

    Attributes:
        file: None where there is an error.
        problems: all of them, sorted by place.
    """

    file: PolicyFile | None
    problems: tuple[Problem, ...] = field(default=())


def read_policies(document: Document, around: Surroundings) -> PolicyReading:
    """The policies and waivers of a document, or every problem that it has in this project."""
    if not document.readable:
        return PolicyReading(None, document.problems)
    if not isinstance(document.value, dict):
        what = f"the file is {show(document.value)}; it should be a mapping"
        problem = document.problem("PV009", what, document.position([]))
        return PolicyReading(None, (*document.problems, problem))
    found, broken = schema_problems(document, SCHEMA)
    judged = apply_policy_rules(document, broken, around)
    problems = tuple(sorted({*document.problems, *found, *judged}, key=sort_key))
    if any(problem.severity is Severity.ERROR for problem in problems):
        return PolicyReading(None, problems)
    return PolicyReading(_policy_file(document), problems)


def read_duration(text: str) -> float:
    """Seconds of a duration such as `30d`: minutes, hours, days or weeks."""
    return float(int(text[:-1]) * _UNIT_SECONDS[text[-1]])


def _policy_file(document: Document) -> PolicyFile:
    value = document.value
    return PolicyFile(
        path=document.path,
        policies={name: _policy(name, entry) for name, entry in value["policies"].items()},
        waivers=tuple(
            _waiver(entry, document.position(["waivers", index]))
            for index, entry in enumerate(value.get("waivers", ()))
        ),
    )


def _policy(name: str, entry: Mapping[str, Any]) -> Policy:
    potency = entry.get("potency", "all")
    max_age = entry.get("max_age")
    return Policy(
        name=name,
        require=tuple(
            Requirement(item["pattern"], read_level(item["level"])) for item in entry["require"]
        ),
        stale_allowed=entry.get("stale") == "allow",
        max_age_s=None if max_age is None else read_duration(max_age),
        potency=1.0 if potency == "all" else float(potency),
        lanes=tuple(entry.get("lanes", ())),
        signers=tuple(entry.get("signers", ())),
        blocked_left_out=entry.get("blocked") == "leave-out",
        environment=entry.get("environment", {}),
        ratchet=entry.get("ratchet"),
        description=entry.get("description", ""),
    )


def read_level(word: str) -> Level | None:
    """The level that a word of the schema means; None for `ceiling`."""
    return None if word == "ceiling" else Level(word)


def _waiver(entry: Mapping[str, Any], place: tuple[int, int]) -> Waiver:
    return Waiver(
        id=entry["id"],
        falsifier_id=entry["falsifier"],
        reason=entry["reason"],
        owner=entry["owner"],
        issue=entry["issue"],
        created=date.fromisoformat(entry["created"]),
        expires=date.fromisoformat(entry["expires"]),
        policies=tuple(entry.get("policies", ())),
        place=place,
    )
