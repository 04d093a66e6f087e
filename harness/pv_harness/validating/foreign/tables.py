"""Which key of which place says what: the dialects of other tools, as data.

A key is understood where a table names it. Every other key is reported, so that a dialect that
grows shows, and a misspelt key does too. docs/foreign.md shows these tables.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pv_harness.validating.foreign.record import Target


if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Shape:
    """The keys that a mapping in one place may have.

    Attributes:
        place: what docs and messages call it.
        fields: what the record says -> the keys that say it. The first that is there is taken;
            the others may serve a later field, and are prose if none takes them.
        lists: the same for lists of texts.
        statuses: keys under which a status is typed.
        links: keys that name something declared elsewhere.
        sections: keys whose values have a shape of their own.
        kept: keys whose values are prose or data beside the claim.
    """

    place: str
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    statuses: tuple[str, ...] = ()
    links: Mapping[str, Target] = field(default_factory=dict)
    sections: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    known: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        """Every key that is understood, once, so that asking for one costs one look."""
        groups = (*self.fields.values(), *self.lists.values(), self.statuses, self.kept)
        found = {key for group in groups for key in group}
        object.__setattr__(self, "known", frozenset({*found, *self.links, *self.sections}))


COMMON_KEY: Final = "falsification_tests"
"""The one key under which the tools of these dialects look for falsifiers."""

FALSIFIER_KEYS: Final = (
    COMMON_KEY,
    "falsification",
    "falsifications",
    "falsification_test",
    "falsification_conditions",
    "falsification_tests_v1_1",
)
"""Top-level keys whose values are falsifiers; `falsification_tests_v` may end in any number."""

_VERSIONED: Final = re.compile(r"falsification_tests_v[0-9_]+")
_STATUSES = ("status", "verdict", "discharge_status")

FILE: Final = Shape(
    "the file",
    fields={
        "id": ("contract_id", "id", "name"),
        "version": ("version",),
        "title": ("title",),
        "description": ("description", "summary"),
        "kind": ("kind",),
    },
    lists={"references": ("references",), "changelog": ("changelog",)},
    statuses=_STATUSES,
    links={
        "depends_on": Target.CONTRACT,
        "peer_contracts": Target.CONTRACT,
        "parent_contracts": Target.CONTRACT,
        "parent_contract": Target.CONTRACT,
    },
    sections=(
        "metadata",
        "contract",
        "equations",
        *FALSIFIER_KEYS,
        "invariants",
        "gates",
        "proof_obligations",
        "kani_harnesses",
        "enforcement",
        "qa_gate",
        "bindings",
        "verification_summary",
    ),
    kept=(
        "author", "created", "date", "updated", "last_modified", "scope", "motivation",
        "preconditions", "postconditions", "failure_modes", "non_goals", "known_limitations",
        "registry", "tags",
    ),
)  # fmt: skip

METADATA: Final = Shape(
    "metadata",
    fields={**FILE.fields, "id": ("id", "contract_id", "name")},
    lists=FILE.lists,
    statuses=_STATUSES,
    links=FILE.links,
    kept=(
        "author", "created", "date", "updated", "last_modified", "registry", "tags",
        "lessons_learned", "arxiv_citations", "category", "domain", "example", "language",
        "part", "purpose", "repo", "scope", "topic",
    ),
)  # fmt: skip

EQUATION: Final = Shape(
    "an equation",
    fields={
        "name": ("name",),
        "formula": ("formula", "latex", "statement"),
        "domain": ("domain",),
        "codomain": ("codomain",),
    },
    sections=("invariants",),
    kept=(
        "description", "preconditions", "postconditions", "runtime_check", "lean_theorem",
        "guarantees",
    ),
)  # fmt: skip

FALSIFIER: Final = Shape(
    "a falsifier",
    fields={
        "id": ("id",),
        "rule": ("rule", "title", "invariant", "name", "description"),
        "prediction": (
            "prediction", "expected", "then", "expected_output", "expected_exit_code",
            "description",
        ),
        "refuted_if": ("fails_if", "falsifier", "condition"),
        "test": (
            "test", "harness", "test_harness", "command", "falsification_test", "procedure",
            "site",
        ),
        "if_fails": (
            "if_fails", "if_test_fails", "if_test_passes", "if_test_compiles",
            "if_catch_all_exists", "action",
        ),
    },
    lists={"mutations": ("mutation",)},
    statuses=_STATUSES,
    kept=(
        "binds_to", "dimensions", "enforcement", "evidence", "given", "input", "reference",
        "severity", "test_kind", "when",
    ),
)  # fmt: skip

INVARIANT: Final = Shape(
    "an entry of `invariants`",
    fields={
        "id": ("id",),
        "rule": ("rule", "description", "property", "statement", "name"),
        "refuted_if": ("falsifier", "fails_if", "condition"),
        "if_fails": ("if_fails", "consequence_if_violated"),
        "test": ("test", "command"),
    },
    statuses=_STATUSES,
    kept=("harness", "enforcement", "severity", "formal"),
)

GATE: Final = Shape(
    "an entry of `gates`",
    fields={
        "id": ("id",),
        "rule": ("rule",),
        "condition": ("condition", "name"),
        "test": ("evidence_required",),
        "if_fails": ("if_fails", "consequence_if_violated"),
    },
    statuses=_STATUSES,
    links={"falsification_id": Target.FALSIFIER},
    kept=(
        "name", "binds_to", "blocks_ac", "ship_blocking", "motivation", "severity",
        "evidence_discharged_by", "discharge_notes", "partial_discharge_note",
        "full_discharge_blocks_on",
    ),
)  # fmt: skip

OBLIGATION: Final = Shape(
    "an obligation",
    fields={
        "id": ("id",),
        "kind": ("type", "kind"),
        "property": ("property", "statement"),
        "formal": ("formal",),
        "tolerance": ("tolerance",),
    },
    statuses=_STATUSES,
    links={
        "requires": Target.OBLIGATION,
        "discharged_by": Target.OBLIGATION,
        "parent_contract": Target.CONTRACT,
    },
    sections=("lean",),
    kept=("applies_to", "applies_to_phase", "notes"),
)

LEAN: Final = Shape(
    "`lean` of an obligation",
    statuses=("status",),
    kept=("theorem", "module", "core_only", "depends_on", "mathlib_imports", "notes"),
)

HARNESS: Final = Shape(
    "an entry of `kani_harnesses`",
    fields={"id": ("id",)},
    statuses=_STATUSES,
    links={"obligation": Target.OBLIGATION},
    kept=(
        "bound", "cheaper_alternative", "description", "harness", "property", "solver",
        "strategy",
    ),
)  # fmt: skip

ENFORCEMENT: Final = Shape(
    "an entry of `enforcement`",
    links={"check": Target.FALSIFIER},
    kept=("description", "severity"),
)

QA_GATE: Final = Shape(
    "`qa_gate`",
    fields={"id": ("id",)},
    lists={"mutations": ("falsification",)},
    statuses=_STATUSES,
    kept=("name", "description", "checks", "pass_criteria"),
)

BINDING: Final = Shape(
    "an entry of `bindings`",
    statuses=("status",),
    links={"contract": Target.CONTRACT},
    kept=("equation", "function", "module_path", "notes", "signature"),
)

SUMMARY_COUNTS: Final = (
    "total_obligations",
    "l2_property_tested",
    "l3_kani_proved",
    "l4_lean_proved",
    "l4_sorry_count",
    "l4_not_applicable",
    "tested",
    "proven",
)
SUMMARY_LISTS: Final = {
    "lean_proved_obligations": "l4_lean_proved",
    "lean_not_applicable_obligations": "l4_not_applicable",
}
"""List of a summary -> the count of it that should be its length."""
CLASSIFICATION: Final = "obligation_classification"
"""One list instead, whose entries say by `class` which of the two they are."""

SUMMARY: Final = Shape(
    "`verification_summary`",
    statuses=("status", "current_level"),
    sections=(*SUMMARY_COUNTS, *SUMMARY_LISTS, CLASSIFICATION),
    kept=("target_level", "notes", "lean_files", "lean_module", "mathlib_imports"),
)

SHAPES: Final = (
    FILE, METADATA, EQUATION, FALSIFIER, INVARIANT, GATE, OBLIGATION, LEAN, HARNESS,
    ENFORCEMENT, QA_GATE, BINDING, SUMMARY,
)  # fmt: skip
"""All tables, in the order in which docs/foreign.md shows them."""

CONTRACT_KEYS: Final = frozenset({*FILE.sections, "contract_id"} - {"contract", "enforcement"})
"""A file that has none of these keys at its first level is no contract of any known dialect."""


def is_falsifier_key(key: str) -> bool:
    """True for a top-level key under which falsifiers stand."""
    return key in FALSIFIER_KEYS or _VERSIONED.fullmatch(key) is not None
