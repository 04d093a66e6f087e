"""Native files that declare no falsifier, by their `kind`: policies, ratchets, releases.

Which kinds there are is asked of every file; what reads them is imported for those alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pv_harness.documents.document import Document
    from pv_harness.documents.problem import Problem
    from pv_harness.policy.rules import Surroundings

    Judge = Callable[[Document, Surroundings], tuple[Problem, ...]]


def _judge_policy(document: Document, around: Surroundings) -> tuple[Problem, ...]:
    from pv_harness.policy.reading import read_policies  # noqa: PLC0415

    return read_policies(document, around).problems


def _judge_ratchet(document: Document, _around: Surroundings) -> tuple[Problem, ...]:
    from pv_harness.errors import ContractError  # noqa: PLC0415
    from pv_harness.policy.ratchet import read_ratchet  # noqa: PLC0415

    try:
        read_ratchet(document)
    except ContractError as error:
        return error.problems
    return ()


def _judge_release(document: Document, _around: Surroundings) -> tuple[Problem, ...]:
    from pv_harness.policy.release_reading import read_release  # noqa: PLC0415

    return read_release(document)[1]


OTHER_KINDS: Final[Mapping[str, Judge]] = {
    "policy": _judge_policy,
    "ratchet": _judge_ratchet,
    "release": _judge_release,
}
"""Kind -> its problems in this project."""
