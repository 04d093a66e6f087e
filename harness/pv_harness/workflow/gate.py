"""`pv gate --policy`: the policy file, the board and the store together, and the answer."""

from __future__ import annotations

import difflib
from dataclasses import replace
from typing import TYPE_CHECKING

from pv_harness.atomic_file import write_atomically
from pv_harness.documents.problem import Problem, sort_key
from pv_harness.errors import ContractError, InfrastructureError, UsageError
from pv_harness.evidence.verification import verify_store, verify_summaries
from pv_harness.exit_code import ExitCode
from pv_harness.policy.conditions import Facts
from pv_harness.policy.gate import GateAnswer, Outcome, decide_gate, today_at
from pv_harness.policy.ratchet import read_ratchet, render_ratchet, shrink_ratchet
from pv_harness.wording import printable, show
from pv_harness.workflow.declared import derive_board, read_evidence


if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from pv_harness.evidence.finding import Finding
    from pv_harness.policy.gate import GateDecision
    from pv_harness.policy.policy import Policy, PolicyFile
    from pv_harness.policy.ratchet import Ratchet
    from pv_harness.project import Project
    from pv_harness.workflow.declared import Declared


def read_policy_file(declared: Declared, now_s: float) -> PolicyFile:
    """The project's policies and waivers, all valid at this time.

    Raises:
        UsageError: there is no policy file.
        ContractError: it can't be judged; the error holds every problem found.
    """
    # The YAML parser and the schema: a gate without a policy file needs neither.
    from pv_harness.documents.loading import load_file  # noqa: PLC0415
    from pv_harness.policy.reading import read_policies  # noqa: PLC0415
    from pv_harness.policy.rules import Surroundings  # noqa: PLC0415

    project = declared.project
    name = printable(project.relative(project.policy))
    if not project.policy.exists():
        raise UsageError(f"{name}: no such file; `pv init` writes one")
    ids = {f.id: c.id for c in declared.contracts for f in c.falsifiers}
    around = Surroundings(ids, tuple(project.keys), today_at(now_s))
    reading = read_policies(load_file(project.policy, name), around)
    if reading.file is None:
        raise ContractError(reading.problems)
    return reading.file


def choose_policy(file: PolicyFile, name: str, keys: Collection[str]) -> Policy:
    """The policy of that name.

    Raises:
        UsageError: there is none, or none of `keys` is that of a signer whom it asks for.
    """
    if name not in file.policies:
        near = difflib.get_close_matches(name, file.policies, n=1)
        known = ", ".join(file.policies)
        hint = f"did you mean {near[0]}?" if near else f"there are {known}"
        raise UsageError(f"{file.path}: there is no policy {show(name)}; {hint}")
    policy = file.policies[name]
    for signer in policy.signers:
        if signer not in keys:
            raise UsageError(
                f"{file.path}: {name} asks for the signer {show(signer)}, and [tool.pv.keys] "
                f"has no key of that name; `pv evidence keygen {signer}` makes one"
            )
    return policy


def answer_gate(
    declared: Declared,
    selected: Collection[str],
    policy: Policy,
    file: PolicyFile | None,
    now_s: float,
) -> GateAnswer:
    """What the policy makes of the selected falsifiers, on the evidence as it is.

    Args:
        declared: the contracts and checks.
        selected: IDs of the falsifiers that the gate is asked about.
        policy: what is asked.
        file: where the policy and the waivers come from; None for the command line's options.
        now_s: seconds since the epoch.

    Raises:
        EvidenceError: evidence is unreadable or altered.
        UsageError: the policy's ratchet does not exist.
        ContractError: the ratchet can't be read.
    """
    project = declared.project
    ratchet = _read_ratchet(project, policy)
    evidence = read_evidence(declared)
    board = derive_board(declared, evidence)
    rows = [row for row in board.rows if row.falsifier.id in selected]
    facts = Facts(now_s, evidence.signers)
    waivers = file.waivers if file else ()
    allowed = ratchet.lines if ratchet else {}
    counted = {f.id for c in declared.contracts for f in c.falsifiers if f.counted}
    decision = decide_gate(rows, policy, facts, waivers=waivers, allowed=allowed, known=counted)
    return GateAnswer(
        decision,
        _unused_problems(file, decision),
        verify_summaries(
            project.evidence, evidence.summaries, now_s, signers=policy.signers or None
        ),
        ratchet,
    )


def verify_project(project: Project, now_s: float) -> tuple[Finding, ...]:
    """What is wrong with the project's stored evidence; every byte of it is read."""
    return verify_store(project.evidence, keys=project.keys, require_signed=False, now_s=now_s)


def init_ratchet(declared: Declared, file: PolicyFile, policy: Policy, now_s: float) -> int:
    """Write the policy's ratchet: all that stands in the way now. Returns how many those are.

    Raises:
        UsageError: the policy has no ratchet, or the file exists: it may only shrink.
        EvidenceError: evidence is unreadable or altered.
        InfrastructureError: the file can't be written.
    """
    project = declared.project
    path = ratchet_path(project, policy)
    if path.exists():
        name = printable(project.relative(path))
        raise UsageError(f"{name}: is there already; a ratchet only shrinks: --update-ratchet")
    everything = {f.id for c in declared.contracts for f in c.falsifiers}
    answer = answer_gate(declared, everything, replace(policy, ratchet=None), file, now_s)
    names = [
        result.row.falsifier.id
        for result in answer.decision.of(Outcome.FAILED)
        if all(failure.code is not ExitCode.INFRASTRUCTURE for failure in result.failures)
    ]
    _write(path, render_ratchet(names, policy.name or ""))
    return len(names)


def update_ratchet(project: Project, answer: GateAnswer) -> tuple[str, ...]:
    """Take out of the ratchet what is good enough now, and return it. Nothing is ever added.

    Raises:
        UsageError: an ID does not stand on a line of its own.
        InfrastructureError: the file can't be written.
    """
    loose = answer.decision.loose
    if answer.ratchet is not None and loose:
        path = ratchet_path(project, answer.decision.policy)
        text = path.read_text(encoding="utf-8")
        _write(path, shrink_ratchet(text, answer.ratchet, loose))
    return loose


def ratchet_path(project: Project, policy: Policy) -> Path:
    """Where the policy's ratchet lies.

    Raises:
        UsageError: the policy has no ratchet, or one outside the project.
    """
    if policy.ratchet is None:
        raise UsageError(f"the policy {policy.name} has no ratchet; name a file in `ratchet`")
    path = project.root / policy.ratchet
    try:
        inside = path.resolve().is_relative_to(project.root)
    except (OSError, RuntimeError, ValueError):
        inside = False
    if not inside:
        raise UsageError(
            f"the policy {policy.name} has the ratchet {show(policy.ratchet)}; "
            "it should be a file of the project"
        )
    return path


def _read_ratchet(project: Project, policy: Policy) -> Ratchet | None:
    from pv_harness.documents.loading import load_file  # noqa: PLC0415 - the YAML parser

    if policy.ratchet is None:
        return None
    path = ratchet_path(project, policy)
    name = printable(project.relative(path))
    if not path.exists():
        raise UsageError(
            f"{name}: no such file; `pv gate --policy {policy.name} --init-ratchet` writes it"
        )
    return read_ratchet(load_file(path, name))


def _unused_problems(file: PolicyFile | None, decision: GateDecision) -> tuple[Problem, ...]:
    """PV069: a waiver that nothing needs would excuse the next defect unseen."""
    if file is None:
        return ()
    problems = [
        Problem(
            file.path,
            *waiver.place,
            "PV069",
            f"{waiver.id}: {waiver.falsifier_id} passes without it; remove the waiver",
        )
        for waiver in decision.unused
    ]
    return tuple(sorted(problems, key=sort_key))


def _write(path: Path, text: str) -> None:
    try:
        write_atomically(path, text.encode())
    except OSError as error:
        raise InfrastructureError(f"{path}: can't be written ({error.strerror})") from error
