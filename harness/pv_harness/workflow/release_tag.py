"""The last release of a project, as its git tags tell: the newest behind the tree as it is."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pv_harness.errors import InfrastructureError
from pv_harness.git import ask_git, complaint_of
from pv_harness.wording import counted, printable


if TYPE_CHECKING:
    from pathlib import Path

MAX_COMMITS = 10_000
"""So far back is looked; git lists as many in some 50 ms."""
_SECONDS = 1.0
"""More than git needs here by far. A report should not wait for one that hangs."""
_RELEASE = re.compile(
    r"(?:.*[-_/])?(?:[vV][0-9]+(?:\.[0-9]+)*|[0-9]+(?:\.[0-9]+)+)(?:\.post[0-9]+|\+[0-9A-Za-z.]+)?"
)
"""`v1.2.0`, `1.2`, `pv-harness-1.2.0`, `release/v2`."""
_EARLY = re.compile(r"(?:^|[^a-z])(?:rc|alpha|beta|dev|pre|nightly)(?:[^a-z]|$)", re.IGNORECASE)
"""What comes before a release, as `v2.0.0-rc.1` does, or beside it: `nightly-2026.11.2`."""


@dataclass(frozen=True, slots=True)
class ReleaseTag:
    """A tag that names a release.

    Attributes:
        commit: the ID of the commit that it is on.
        made_s: when it was made, in seconds since the epoch; None where git can't tell.
    """

    name: str
    commit: str
    made_s: float | None = None


@dataclass(frozen=True, slots=True)
class NoRelease:
    """There is no release to compare with; the text says why, for a reader of the report."""

    why: str


def is_release_name(tag: str) -> bool:
    """True for a tag that is called after a version that is no pre-release."""
    return _RELEASE.fullmatch(tag) is not None and not _EARLY.search(tag)


def find_last_release(root: Path, max_commits: int = MAX_COMMITS) -> ReleaseTag | NoRelease:
    """The release that the tree at `root` comes after.

    It is the newest commit behind HEAD with a tag that names a release. On the very commit of a
    release it is the one before it, unless a tracked file has been edited since.

    Raises:
        InfrastructureError: git can't tell.
    """
    releases = _releases(root)
    if not releases:
        return _none(root, "no tag is called after a version, as v1.0.0 is")
    listed = ask(root, "rev-list", f"--max-count={max_commits}", "HEAD", "--")
    commits = listed.decode("ascii").split()
    found = [releases[commit] for commit in commits if commit in releases]
    if found and found[0].commit == commits[0] and not _is_edited(root):
        if len(found) > 1:
            return found[1]
        return _none(root, f"this is {found[0].name}, the first one")
    if found:
        return found[0]
    return _none(root, f"of {counted(len(releases), 'release tag')} none is behind this commit")


def _releases(root: Path) -> dict[str, ReleaseTag]:
    """Commit -> its release; of several on one commit the most exact, v1.2 before v1."""
    fields = ("refname:strip=2", "objectname", "*objectname", "creatordate:unix")
    form = "%00".join(f"%({name})" for name in fields)
    found: dict[str, ReleaseTag] = {}
    for line in ask(root, "for-each-ref", f"--format={form}", "refs/tags").splitlines():
        name, own, peeled, made = line.decode("utf-8", "replace").split("\0")
        commit = peeled or own
        known = found.get(commit)
        if is_release_name(name) and (
            known is None or _exactness(name) > _exactness(known.name)
        ):
            made_s = float(made) if made.isdecimal() else None
            found[commit] = ReleaseTag(name, commit, made_s)
    return found


def _exactness(name: str) -> tuple[int, str]:
    return name.count("."), name


def _is_edited(root: Path) -> bool:
    """True if a tracked file below `root` is not as HEAD has it."""
    return _run(root, "diff", "--quiet", "HEAD", "--", ".").returncode == 1


def _none(root: Path, why: str) -> NoRelease:
    """Of a shallow clone nobody can say what lies behind it."""
    if ask(root, "rev-parse", "--is-shallow-repository").strip() == b"true":
        return NoRelease(
            "No release is known: this clone is shallow, without older commits and their tags; "
            "`git fetch --unshallow --tags` brings them."
        )
    return NoRelease(f"There is no release yet: {why}.")


def ask(root: Path, *words: str, given: bytes = b"") -> bytes:
    """What a git command prints; `given` is what it reads.

    Raises:
        InfrastructureError: it can't be started, refuses, or takes too long.
    """
    done = _run(root, *words, given=given)
    if done.returncode:
        what = printable(complaint_of(done)) or f"nothing, and ends with {done.returncode}"
        outside = "not a git repository" in what
        raise InfrastructureError("no git repository" if outside else f"git says: {what}")
    return done.stdout


def _run(root: Path, *words: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    try:
        return ask_git(root, *words, timeout_s=_SECONDS, given=given)
    except OSError as error:
        raise InfrastructureError("git can't be started") from error
    except subprocess.TimeoutExpired as error:
        raise InfrastructureError(f"git took more than {_SECONDS:g} s to answer") from error
