"""Everything that can be said against a store without knowing the project it is about.

For gates: `verify_store(folder, keys=project.keys, require_signed=False, now_s=time.time())` is
empty for a store that can be trusted. Each finding has a kind, a file and a remedy, and is one
line as text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pv_harness.evidence.chain import find_missing, heads_of, noted_by
from pv_harness.evidence.fields import is_digest
from pv_harness.evidence.finding import Finding, FindingKind
from pv_harness.evidence.signing import Keyring
from pv_harness.evidence.statement import SUFFIX
from pv_harness.evidence.store import RESTORE, examine_file, list_files
from pv_harness.evidence.summary import CLOCK_TOLERANCE_S, summarize
from pv_harness.wording import counted


if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from pv_harness.evidence.chain import Linked
    from pv_harness.evidence.statement import RunStatement
    from pv_harness.evidence.summary import StatementSummary

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
    summaries = [summarize(statement) for statement in statements]
    findings = [found for found in examined if isinstance(found, Finding)]
    findings += [
        _unsigned(summary, file_of(folder, summary.digest))
        for summary in summaries
        if require_signed and not summary.signed_by
    ]
    present = {name for f in files if is_digest(name := f.name.removesuffix(SUFFIX))}
    signers = set(keys) if require_signed else None
    findings += verify_summaries(folder, summaries, now_s, present, signers)
    findings += _absent_heads(folder, summaries, present, expected_heads, signers)
    if keys and not require_signed:
        findings += _notes_by_nobody(folder, summaries, present)
    return Survey(tuple(statements), tuple(sorted(findings, key=_place)), len(files))


def verify_summaries(
    folder: Path,
    summaries: Sequence[StatementSummary],
    now_s: float,
    present: Iterable[str] = (),
    signers: Collection[str] | None = None,
) -> tuple[Finding, ...]:
    """Everything that is wrong with statements whose files are what they should be.

    Args:
        folder: the store.
        summaries: of those that could be read, oldest first.
        now_s: seconds since the epoch.
        present: digests of files that are there besides, readable or not.
        signers: names of trusted keys; only a note that one of them signed excuses a statement
            that is gone. None takes the word of anybody.
    """
    findings = [
        finding
        for summary in summaries
        for finding in _examine(summary, file_of(folder, summary.digest), now_s)
    ]
    findings += find_gaps(folder, summaries, present, signers)
    return tuple(sorted(findings, key=_place))


def file_of(folder: Path, digest: str) -> Path:
    """The file of the statement with this digest."""
    return folder / f"{digest}{SUFFIX}"


def _examine(summary: StatementSummary, file: Path, now_s: float) -> Iterator[Finding]:
    """What is wrong inside one readable statement: its plan, and its times."""
    for flaw in summary.flaws:
        yield Finding(flaw.kind, file, flaw.what, _REPLACE)
    latest_s = now_s + CLOCK_TOLERANCE_S
    if summary.started_s > latest_s:
        what = f"it began {_ahead(summary.started_s - now_s)}"
        yield Finding(FindingKind.CLOCK, file, what, _WAIT)
    elif summary.ended_s > latest_s:
        what = f"a record was finished {_ahead(summary.ended_s - now_s)}"
        yield Finding(FindingKind.CLOCK, file, what, _WAIT)


def find_gaps(
    folder: Path,
    statements: Sequence[Linked],
    present: Iterable[str] = (),
    signers: Collection[str] | None = None,
) -> Iterator[Finding]:
    """What the references between statements show: those that are gone, or came too early.

    Args:
        folder: the store.
        statements: those that could be read.
        present: digests of files that are there besides, readable or not.
        signers: whose notes of a removal count, as for `verify_summaries`.
    """
    for digest, referring in find_missing(statements, present, signers).items():
        what = f"{_short(referring[0])} refers to it, it is gone and {_no_note(signers)}"
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
    statements: Sequence[StatementSummary],
    present: set[str],
    expected: Sequence[str],
    signers: Collection[str] | None,
) -> Iterator[Finding]:
    known = present | noted_by(statements, signers)
    for head in expected:
        if not any(digest.startswith(head) for digest in known):
            what = f"it was named with --head, it is gone and {_no_note(signers)}"
            yield Finding(FindingKind.MISSING, file_of(folder, head), what, RESTORE)


def _no_note(signers: Collection[str] | None) -> str:
    return f"no note{'' if signers is None else ' that a trusted key signed'} says why"


def _notes_by_nobody(
    folder: Path, statements: Sequence[StatementSummary], present: set[str]
) -> Iterator[Finding]:
    """Notes alone for which statements are not missed, though no trusted key signed them.

    Who can't sign could excuse a deleted red run with one. It is no gap, as long as nobody asks
    for signatures.
    """
    signers = {name for statement in statements for name in statement.signed_by}
    missed = set(find_missing(statements, present, signers))
    for statement in statements:
        count = len({removed.digest for removed in statement.removed} & missed)
        if count and not statement.signed_by:
            what = f"nothing but this note, signed by {_who(statement) or 'nobody'}, excuses "
            what += f"{counted(count, 'statement')} that {'is' if count == 1 else 'are'} gone"
            yield Finding(
                FindingKind.UNSIGNED, file_of(folder, statement.digest), what, RESTORE
            )


def _who(statement: StatementSummary) -> str:
    keys = ", ".join(_short(keyid) for keyid in statement.keyids)
    return f"keys that are not trusted: {keys}" if keys else ""


def _unsigned(statement: StatementSummary, file: Path) -> Finding:
    what = f"signed by {_who(statement) or 'nobody'}"
    remedy = (
        "measure again with `pv run --prove --again --sign KEYFILE`, then "
        "`pv evidence gc --keep 0 --sign KEYFILE`"
    )
    return Finding(FindingKind.UNSIGNED, file, f"{what}, a trusted key is asked for", remedy)


def _ahead(seconds: float) -> str:
    return f"{seconds:,.0f} s in the future, at most {CLOCK_TOLERANCE_S:.0f} s are allowed for"


def _short(digest: str) -> str:
    return f"{digest[:12]}…"


def _place(finding: Finding) -> tuple[str, str, str]:
    return (str(finding.file), finding.kind.value, finding.what)
