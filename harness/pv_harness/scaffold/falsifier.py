"""One falsifier more: an entry in a contract, and a check that fails until it is written."""

from __future__ import annotations

import difflib
import os
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from pv_harness.contracts.bindings import MARKER
from pv_harness.contracts.file_search import CONTRACT_SUFFIXES
from pv_harness.contracts.reading import read_falsifier
from pv_harness.documents.loading import load, load_file
from pv_harness.documents.problem import Severity
from pv_harness.documents.schema_check import check_schema, read_schema
from pv_harness.errors import UsageError
from pv_harness.fingerprint.sources import SourceTree
from pv_harness.scaffold.changes import Action, Change, read_text
from pv_harness.scaffold.example import SCHEMA
from pv_harness.scaffold.filling import fill
from pv_harness.scaffold.insertion import insert_falsifier
from pv_harness.scaffold.repository import has_contracts
from pv_harness.validating.rules import apply_rules
from pv_harness.validating.rules.world import Claim, Draft, survey
from pv_harness.validating.validation import load_contracts
from pv_harness.wording import show


if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pv_harness.contracts.contract import Contract
    from pv_harness.project import Project

_NUMBER = re.compile(r"[0-9]{3}$")
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for.

    Attributes:
        contract: the file to add to; one that does not exist is made. None: the fitting one.
        covers: modules of the subject; without any, those of the contract's last falsifier.
    """

    id: str
    contract: Path | None = None
    covers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Addition:
    """The two files that a new falsifier touches, and where it stands in them."""

    contract: Change
    contract_line: int
    check: Change
    check_line: int


def plan_falsifier(project: Project, request: Request) -> Addition:
    """The entry and the check of a new falsifier; nothing is written.

    Raises:
        ContractError: the contracts as they are can't be judged.
        UsageError: the ID is no ID or is taken, there is no such module, or it is not clear
            which contract is meant.
    """
    contracts = load_contracts(project)[0] if has_contracts(project) else ()
    _refuse_id(request.id, contracts)
    chosen = _choose_contract(project, request, contracts)
    covers = _choose_covers(project, request, chosen)
    contract = _plan_contract(project, request, chosen, covers)
    _refuse_problems(project, request, contract, contracts)
    check = _plan_check(project, request.id, chosen)
    return Addition(
        contract,
        _line_of(contract.text, request.id),
        check,
        _line_of(check.text, request.id) + 1,
    )


def _refuse_id(identity: str, contracts: Sequence[Contract]) -> None:
    rule = read_schema()["definitions"]["falsifier"]["properties"]["id"]
    if re.search(rule["pattern"], identity) is None:
        raise UsageError(
            f"{show(identity)} is no ID; an ID is capital words joined by hyphens, three "
            f"digits last, such as {rule['examples'][0]}"
        )
    for contract in contracts:
        known = [falsifier.id for falsifier in contract.falsifiers]
        if identity in known:
            free = _next_free(identity, [f.id for c in contracts for f in c.falsifiers])
            raise UsageError(
                f"{identity} is declared already, in {contract.path}; an ID never gets "
                f"a second meaning, take {free}"
            )


def _next_free(identity: str, known: Sequence[str]) -> str:
    stem = _NUMBER.sub("", identity)
    taken = {int(k[-3:]) for k in known if _NUMBER.sub("", k) == stem}
    return f"{stem}{max(taken) + 1:03}" if max(taken) < 999 else "another stem"


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The contract that the falsifier goes into; `present` is None for a file to be made."""

    path: PurePosixPath
    present: Contract | None


def _choose_contract(
    project: Project, request: Request, contracts: Sequence[Contract]
) -> _Chosen:
    if request.contract is not None:
        return _named_contract(project, request.contract, contracts)
    stem = _NUMBER.sub("", request.id)
    kin = [c for c in contracts if any(f.id.startswith(stem) for f in c.falsifiers)]
    if len(kin) == 1:
        return _Chosen(kin[0].path, kin[0])
    if kin:
        listed = ", ".join(str(contract.path) for contract in kin)
        raise UsageError(f"{request.id} could go into {listed}; say which with --contract FILE")
    new = _new_file(project, stem)
    if not contracts:
        raise UsageError(
            f"{project.relative(project.contracts[0])}: no contract yet; `pv init` makes a "
            f"first one, and --contract {new} --covers MODULE an empty one"
        )
    # Not into the only one that there is: an ID of another family is mostly a slip, and for
    # good, since IDs are permanent.
    known = ", ".join(_families(contracts))
    raise UsageError(
        f"{request.id}: no contract declares IDs that begin with {stem}; there are {known}; "
        f"name the file with --contract FILE, {contracts[0].path} say, or a new one, {new}"
    )


def _families(contracts: Sequence[Contract]) -> list[str]:
    """What the IDs of each contract begin with, and which file that is; at most three."""
    stems = {
        _NUMBER.sub("", falsifier.id): contract.path
        for contract in contracts
        for falsifier in contract.falsifiers
    }
    shown = [f"{stem} in {path}" for stem, path in sorted(stems.items())]
    more = len(shown) - _SHOWN
    return [*shown[:_SHOWN], f"and {more} more"] if more > 0 else shown


def _new_file(project: Project, stem: str) -> str:
    """A file in the first folder of contracts that is called as the IDs are."""
    first = project.contracts[0]
    folder = first.parent if first.suffix in CONTRACT_SUFFIXES else first
    words = stem.removeprefix("FALSIFY-").strip("-").lower()
    return project.relative(folder / f"{words or 'claims'}-v1.yaml")


def _named_contract(project: Project, file: Path, contracts: Sequence[Contract]) -> _Chosen:
    path = file.resolve()
    name = PurePosixPath(project.relative(path))
    for contract in contracts:
        if contract.path == name:
            return _Chosen(name, contract)
    if path.exists():
        known = ", ".join(str(contract.path) for contract in contracts) or "none"
        raise UsageError(f"{name}: is no native contract of this project; it has: {known}")
    places = ", ".join(map(project.relative, project.contracts))
    if not any(path.is_relative_to(place) for place in project.contracts):
        raise UsageError(f"{name}: lies outside the folders of contracts, {places}")
    if path.suffix not in (".yaml", ".yml"):
        raise UsageError(f"{name}: a contract is a .yaml file")
    return _Chosen(name, None)


def _choose_covers(project: Project, request: Request, chosen: _Chosen) -> tuple[str, ...]:
    tree = SourceTree(project.root, project.source_roots)
    for name in request.covers:
        if tree.find_module(name) is None:
            roots = ", ".join(map(project.relative, project.source_roots))
            near = difflib.get_close_matches(name, _modules(project), n=1)
            hint = f"; did you mean {near[0]}?" if near else "; name one, such as pkg.train"
            raise UsageError(f"--covers {name}: no such module below {roots}{hint}")
    if request.covers:
        return tuple(dict.fromkeys(request.covers))
    if chosen.present is None:
        raise UsageError(
            f"{chosen.path} is new; say which module of the subject its first claim is about, "
            "with --covers MODULE"
        )
    return chosen.present.falsifiers[-1].covers


def _modules(project: Project) -> list[str]:
    tree = SourceTree(project.root, project.source_roots)
    found = (tree.module_name(p) for root in project.source_roots for p in root.glob("*/*.py"))
    return sorted(name for name in found if name)


def _plan_contract(
    project: Project, request: Request, chosen: _Chosen, covers: Sequence[str]
) -> Change:
    values = {"ID": request.id, "COVERS": f"[{', '.join(covers)}]"}
    entry = fill("falsifier.yaml", values).splitlines()
    name = str(chosen.path)
    if chosen.present is None:
        schema = chosen.path.with_name(SCHEMA)
        has_schema = (project.root / schema).exists()
        line = f"# yaml-language-server: $schema={SCHEMA}\n" if has_schema else ""
        head = fill("new-contract.yaml", {"CONTRACT": chosen.path.stem, "HEAD": line})
        first, *rest = entry
        text = head + "".join(f"{line}\n" for line in (f"- {first}", *(f"  {r}" for r in rest)))
        return Change(name, Action.CREATE, f"declares {request.id}", text)
    before = read_text(project.root / name) or ""
    text = insert_falsifier(before, entry, name)
    return Change(name, Action.EXTEND, f"declares {request.id}", text, before)


def _refuse_problems(
    project: Project, request: Request, change: Change, contracts: Sequence[Contract]
) -> None:
    """The new text is judged before it is written, by the rules that will judge the file."""
    document = load(change.text.encode(), change.name)
    problems = [*document.problems]
    if not problems:
        problems += check_schema(document)[0]
    if not problems:
        entries = document.value["falsifiers"]
        claim = Claim(document, len(entries) - 1, read_falsifier(entries[-1]))
        others = [
            Draft(load_file(project.root / contract.path, str(contract.path)), ())
            for contract in contracts
            if str(contract.path) != change.name
        ]
        draft = Draft(document, (claim,))
        world = survey(project, [*others, draft], (), complete=True)
        problems += [p for p in apply_rules([draft], world) if p.severity is Severity.ERROR]
    if problems:
        raise UsageError(f"{request.id} would make the contract invalid: {problems[0]}")


def _plan_check(project: Project, identity: str, chosen: _Chosen) -> Change:
    # A file of its own: one more function in the file of another claim's check would make
    # the evidence of that claim stale.
    words = identity.lower().replace("-", "_")
    first = project.checks[0]
    folder = project.relative(first.parent if first.is_file() else first)
    name = f"{folder}/test_{words}.py"
    if os.path.lexists(project.root / name):  # noqa: TID251 - a dangling link is there too
        raise UsageError(f"{name}: is there, and not bound to {identity}; move it away")
    values = {"ID": identity, "CONTRACT": chosen.path.stem, "FUNCTION": f"test_{words}"}
    text = fill("new-check.py.txt", values)
    return Change(name, Action.CREATE, "its check, which fails until it is written", text)


def _line_of(text: str, identity: str) -> int:
    """The line, from 1, on which an ID stands, as the value of `id` or in a marker."""
    wanted = (f"id: {identity}", f'{MARKER}("{identity}")')
    lines = enumerate(text.splitlines(), 1)
    return next(number for number, line in lines if any(w in line for w in wanted))
