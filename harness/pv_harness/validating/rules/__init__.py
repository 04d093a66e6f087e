"""The rules that no schema can state: one small generator per rule, named like the rule.

rules.world      what a rule sees
rules.identity   IDs, references, bindings
rules.levels     bounds, inputs, levels
rules.seeds      several seeds and the rule over them
rules.subject    covered modules, entry points
rules.planting   planted defects and controls
rules.texts      texts that are still to be written
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pv_harness.documents.problem import Problem
from pv_harness.validating.rules.identity import (
    contract_ids_are_unique,
    dependencies_exist,
    every_claim_has_a_check,
    falsifier_ids_are_unique,
    id_is_the_file_stem,
)
from pv_harness.validating.rules.levels import (
    bounds_can_hold,
    each_level_adds_a_condition,
    inputs_are_declared,
    level_inputs_are_inputs,
    levels_are_in_order,
    numbers_are_finite,
)
from pv_harness.validating.rules.planting import (
    counted_claims_have_defects,
    defects_differ,
    defects_expect_a_bound_metric,
    planted_changes_apply,
    planted_changes_hit_the_subject,
    planted_names_are_unique,
)
from pv_harness.validating.rules.seeds import seed_rules_apply
from pv_harness.validating.rules.subject import covered_modules_exist, entry_points_exist
from pv_harness.validating.rules.texts import texts_are_written, title_is_written
from pv_harness.wording import MAX_GUESSES, meant, show


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pv_harness.contracts.bindings import Check
    from pv_harness.validating.rules.world import Draft, World

_FILE_RULES = (
    id_is_the_file_stem,
    falsifier_ids_are_unique,
    contract_ids_are_unique,
    dependencies_exist,
    title_is_written,
)
CLAIM_RULES = (
    every_claim_has_a_check,
    covered_modules_exist,
    entry_points_exist,
    levels_are_in_order,
    each_level_adds_a_condition,
    inputs_are_declared,
    level_inputs_are_inputs,
    bounds_can_hold,
    numbers_are_finite,
    seed_rules_apply,
    planted_names_are_unique,
    planted_changes_apply,
    planted_changes_hit_the_subject,
    defects_expect_a_bound_metric,
    counted_claims_have_defects,
    defects_differ,
    texts_are_written,
)


def apply_rules(drafts: Iterable[Draft], world: World) -> Iterator[Problem]:
    """Every problem that the rules find in these files and in the project's checks."""
    for draft in drafts:
        for file_rule in _FILE_RULES:
            yield from file_rule(draft, world)
        for claim in draft.claims:
            for claim_rule in CLAIM_RULES:
                yield from claim_rule(claim, world)
    yield from checks_name_known_claims(world)


def checks_name_known_claims(world: World) -> Iterator[Problem]:
    """PV031: a check bound to no claim judges nothing; one marker of several is one mistake."""
    unknown: dict[tuple[str, int, int], list[Check]] = {}
    for check in world.checks if world.complete else ():
        if check.falsifier_id not in world.falsifier_ids:
            unknown.setdefault((check.path, *check.named_at), []).append(check)
    for number, (place, checks) in enumerate(unknown.items()):
        identity, more = checks[0].falsifier_id, len(checks) - 1
        are = f" and {more} more are" if more else " is"
        what = f"{checks[0].qualname}{are} bound to {show(identity)}; no contract declares it"
        what += meant(identity, world.falsifier_ids) if number < MAX_GUESSES else ""
        yield Problem(*place, "PV031", what)
