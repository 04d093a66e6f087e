"""Which plain files are not so plain beside the others: names that collide, or lead nowhere."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from pv_harness.validating.plain_files import PlainFile


def find_colliding(
    plain: Mapping[str, PlainFile],
    contract_ids: Iterable[str],
    falsifier_ids: Iterable[str],
) -> set[str]:
    """Keys of the files that a rule about names may have something to say of.

    Args:
        plain: every plain file of the project.
        contract_ids: contract IDs of all other files, stems of foreign ones among them.
        falsifier_ids: falsifier IDs of all other files.
    """
    others = frozenset(contract_ids)
    contracts = Counter(file.contract_id for file in plain.values())
    contracts.update(contracts.keys() & others)
    identities = Counter(claim.id for file in plain.values() for claim in file.claims)
    identities.update(identities.keys() & frozenset(falsifier_ids))
    twice = {name for name, count in chain(contracts.items(), identities.items()) if count > 1}
    return {
        key
        for key, file in plain.items()
        if _names_one_of(file, twice) or _leads_nowhere(file, contracts, others)
    }


def _names_one_of(file: PlainFile, names: Collection[str]) -> bool:
    if not names:
        return False
    return file.contract_id in names or any(claim.id in names for claim in file.claims)


def _leads_nowhere(
    file: PlainFile, contracts: Mapping[str, int], others: Collection[str]
) -> bool:
    return any(name not in contracts and name not in others for name in file.depends_on)
