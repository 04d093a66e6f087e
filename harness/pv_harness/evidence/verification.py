"""Everything that can be said against a store without knowing the project it is about.

For gates: `verify_store(folder, keys=project.keys, require_signed=False, now_s=time.time())` is
empty for a store that can be trusted. Each finding has a kind, a file and a remedy, and is one
line as text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pv_harness.evidence.chain import find_missing, heads_of
from pv_harness.evidence.fields import is_digest
from pv_harness.evidence.finding import Finding, FindingKind
from pv_harness.evidence.signing import Keyring
from pv_harness.evidence.statement import SUFFIX
from pv_harness.evidence.store import RESTORE, examine_file, list_files
from pv_harness.wording import show


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from pv_harness.evidence.statement import RunStatement

CLOCK_TOLERANCE_S = 300.0
"""How far the clocks of two machines may be apart, and one clock may be set back in a run."""
_REPLACE = "measure again with `pv run --prove --again`, then `pv evidence gc --keep 0`"
_WAIT = "wait for that time, or move the whole folder away and measure again with `pv run`"


@dataclass(frozen=True, slots=True)
class Survey:
    """What a store holds, and what is wrong with it.

    Attributes:
        statements: those that could be read, oldest first.
        files: how many files the store has, readable or not.
    """

    statements: tuple[RunStatement, ...]
    findings: tuple[Finding, ...]
    files: int

    @property
    def heads(self) -> tuple[str, ...]:
        """The statements that no other refers to, sorted."""
        return heads_of(self.statements)


def verify_store(
    folder: Path, *, keys: Mapping[str, Path], require_signed: bool, now_s: float
) -> tuple[Finding, ...]:
    """Everything that is wrong with a store; an empty or absent one has nothing wrong.

    Args:
        folder: the store.
        keys: signer's name -> file of its public key.
        require_signed: whether each statement has to be signed by one of the keys.
        now_s: seconds since the epoch.

    Raises:
        EvidenceError: the folder is none or can't be listed.
        UsageError: there are signatures to verify, and a key can't be read or the library
            for it is missing.
    """
    return survey_store(folder, keys=keys, require_signed=require_signed, now_s=now_s).findings


def survey_store(
    folder: Path,
    *,
    keys: Mapping[str, Path],
    require_signed: bool,
    now_s: float,
    expected_heads: Sequence[str] = (),
) -> Survey:
    """What a store holds and what is wrong with it. Arguments and errors as `verify_store`.

    Args:
        folder: the store.
        keys: signer's name -> file of its public key.
        require_signed: whether each statement has to be signed by one of the keys.
        now_s: seconds since the epoch.
        expected_heads: digests, or beginnings of digests, that have to be in the store or
            noted as removed: those that an earlier look at it found to be its heads.
    """
    keyring = Keyring(keys)
    files = list_files(folder)
    examined = [examine_file(file, keyring) for file in files]
    statements = sorted(
        (found for found in examined if not isinstance(found, Finding)),
        key=lambda s: (s.started_s, s.digest),
    )
    findings = [found for found in examined if isinstance(found, Finding)]
    for statement in statements:
        file = file_of(folder, statement.digest)
        findings += examine_statement(statement, file, now_s)
        if require_signed and not statement.signed_by:
            findings.append(_unsigned(statement, file))
    present = {name for f in files if is_digest(name := f.name.removesuffix(SUFFIX))}
    findings += find_gaps(folder, statements, present)
    findings += _absent_heads(folder, statements, present, expected_heads)
    return Survey(tuple(statements), tuple(sorted(findings, key=_place)), len(files))


def file_of(folder: Path, digest: str) -> Path:
    """The file of the statement with this digest."""
    return folder / f"{digest}{SUFFIX}"


def examine_statement(statement: RunStatement, file: Path, now_s: float) -> Iterator[Finding]:
    """What is wrong inside one readable statement: its plan, and its times."""
    recorded = {r.falsifier_id for r in statement.runs}
    recorded |= {p.falsifier_id for p in statement.patches}
    for word, ids in (
        ("no record of {}, which was planned", set(statement.planned) - recorded),
        ("a record of {}, which was not planned", recorded - set(statement.planned)),
    ):
        if ids:
            what = word.format(_names(ids))
            yield Finding(FindingKind.INCOMPLETE, file, what, _REPLACE)
    latest_s = now_s + CLOCK_TOLERANCE_S
    if statement.started_s > latest_s:
        what = f"it began {_ahead(statement.started_s - now_s)}"
        yield Finding(FindingKind.CLOCK, file, what, _WAIT)
    elif statement.ended_s > latest_s:
        what = f"a record was finished {_ahead(statement.ended_s - now_s)}"
        yield Finding(FindingKind.CLOCK, file, what, _WAIT)
    finished = [(r.falsifier_id, r.finished_s) for r in statement.runs]
    finished += [(p.falsifier_id, p.finished_s) for p in statement.patches]
    early = {name for name, at_s in finished if at_s < statement.started_s - CLOCK_TOLERANCE_S}
    if early:
        what = f"records were finished before the run began: {_names(early)}"
        yield Finding(FindingKind.CLOCK, file, what, _REPLACE)


def find_gaps(
    folder: Path, statements: Sequence[RunStatement], present: Iterable[str] = ()
) -> Iterator[Finding]:
    """What the references between statements show: those that are gone, or came too early.

    Args:
        folder: the store.
        statements: those that could be read.
        present: digests of files that are there besides, readable or not.
    """
    for digest, referring in find_missing(statements, present).items():
        what = f"{_short(referring[0])} refers to it, it is gone and no note says why"
        yield Finding(FindingKind.MISSING, file_of(folder, digest), what, RESTORE)
    began = {statement.digest: statement.started_s for statement in statements}
    for statement in statements:
        for digest in statement.previous:
            late_s = began.get(digest, 0.0) - statement.ended_s
            if late_s > CLOCK_TOLERANCE_S:
                what = f"it ended {late_s:,.0f} s before {_short(digest)}, which it refers to"
                file = file_of(folder, statement.digest)
                yield Finding(FindingKind.CLOCK, file, what, _REPLACE)


def _absent_heads(
    folder: Path,
    statements: Sequence[RunStatement],
    present: set[str],
    expected: Sequence[str],
) -> Iterator[Finding]:
    known = present | {removed.digest for s in statements for removed in s.removed}
    for head in expected:
        if not any(digest.startswith(head) for digest in known):
            what = "it was named with --head, it is gone and no note says why"
            yield Finding(FindingKind.MISSING, file_of(folder, head), what, RESTORE)


def _unsigned(statement: RunStatement, file: Path) -> Finding:
    who = ", ".join(_short(keyid) for keyid in statement.keyids)
    what = f"signed by keys that are not trusted: {who}" if who else "signed by nobody"
    remedy = (
        "measure again with `pv run --prove --again --sign KEYFILE`, then "
        "`pv evidence gc --keep 0 --sign KEYFILE`"
    )
    return Finding(FindingKind.UNSIGNED, file, f"{what}, a trusted key is asked for", remedy)


def _ahead(seconds: float) -> str:
    return f"{seconds:,.0f} s in the future, at most {CLOCK_TOLERANCE_S:.0f} s are allowed for"


def _names(ids: Iterable[str]) -> str:
    first, *rest = sorted(ids)
    return show(first) + (f" and {len(rest)} more" if rest else "")


def _short(digest: str) -> str:
    return f"{digest[:12]}…"


def _place(finding: Finding) -> tuple[str, str, str]:
    return (str(finding.file), finding.kind.value, finding.what)
