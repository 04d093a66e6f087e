"""Contracts in which nothing is wrong, judged fast: most files of most runs.

The judgement is that of `contracts.rules` and of the schema; only the way to it is shorter. A
file that is not plain YAML, that the schema refuses, or in which any rule finds anything, is
left to the way that explains. So this module reports one problem alone, the one that is no
mistake: a claim without a check.
"""

from __future__ import annotations

import marshal
import os
import re
import stat
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from pv_harness.contracts.reading import read_falsifier
from pv_harness.documents.contract_check import is_surely_valid
from pv_harness.documents.document import Document, Mark
from pv_harness.documents.plain_yaml import MAX_SIZE_BYTES, load_plain
from pv_harness.documents.problem import Problem, Severity
from pv_harness.policy.kinds import OTHER_KINDS
from pv_harness.regular_file import OPEN_FLAGS, is_unchanged
from pv_harness.validating.rules import CLAIM_RULES
from pv_harness.validating.rules.identity import every_claim_has_a_check, unbound
from pv_harness.validating.rules.texts import TEXTS, is_left, texts_are_written
from pv_harness.validating.rules.world import Claim
from pv_harness.wording import printable


if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from pv_harness.contracts.contract import Falsifier
    from pv_harness.contracts.file_search import FoundFile
    from pv_harness.validating.rules.world import World

_OUR_FORMAT: Final = b"pv/v1"
_PROSE: Final = frozenset({"id", *TEXTS})
"""What makes a claim another one and is judged apart: by the checks' markers, and by words."""
_NO_PROSE: Final = dict.fromkeys(_PROSE, "")
_SPELLING_ESCAPE: Final = re.compile(rb"\\[xuU\n]")
_JUDGED_APART: Final = frozenset({every_claim_has_a_check, texts_are_written})
_RULES: Final = tuple(rule for rule in CLAIM_RULES if rule not in _JUDGED_APART)


class Counted(NamedTuple):
    """One claim, as far as the denominators need it."""

    id: str
    counted: bool
    defects: int
    controls: int


class PlainFile(NamedTuple):
    """A native contract in which nothing is wrong, unless its names collide with others.

    Attributes:
        depends_on: IDs of the contracts that it builds on.
        planted: the files that its defects and controls change, as it calls them.
        unbound: each claim without a check: its ID, and the line and column of that.
    """

    path: str
    contract_id: str
    claims: tuple[Counted, ...]
    depends_on: tuple[str, ...]
    planted: tuple[str, ...]
    unbound: tuple[tuple[str, int, int], ...]

    @property
    def problems(self) -> tuple[Problem, ...]:
        """A warning for each claim without a check."""
        return tuple(
            Problem(self.path, line, column, "PV032", f"{i}: {unbound(i)}", Severity.WARNING)
            for i, line, column in self.unbound
        )

    def as_row(self) -> tuple[Any, ...]:
        """The same of plain tuples alone, which `marshal` takes."""
        return (*self[:2], tuple(map(tuple, self.claims)), *self[3:])

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> PlainFile:
        """The file that a row was made of."""
        path, contract_id, claims, *rest = row
        return cls(path, contract_id, tuple(map(Counted._make, claims)), *rest)


PlainReading: TypeAlias = "Callable[[Sequence[FoundFile], World], Mapping[str, PlainFile]]"
"""From files to the plain ones among them, by their place."""


def read_plain_files(files: Sequence[FoundFile], world: World) -> dict[str, PlainFile]:
    """The plain ones among the files, by their place; none without the packages for it."""
    reader = PlainReader(world, str(world.project.root))
    found = ((file.real, reader.read(file)) for file in files)
    return {real: plain for real, plain in found if plain is not None}


class PlainReader:
    """Reads plain files in one project; a claim like an earlier one is judged once.

    Two claims are alike if they differ in nothing but their ID and their prose.
    """

    def __init__(self, world: World, root: str) -> None:
        self._world = world
        self._root = f"{root}/"
        self._planted: dict[bytes, dict[str, None] | None] = {}

    def read(self, file: FoundFile) -> PlainFile | None:
        """The file, or None where the way that explains has to be taken."""
        data = _read_small(file.real)
        # A foreign file is not even parsed; whoever spells this otherwise takes the other way.
        value = load_plain(data) if data and _OUR_FORMAT in data else None
        if data is None or value is None or not self._is_valid(value):
            return None
        name = self.name_of(file)
        stem = name.rpartition("/")[2].rpartition(".")[0]
        if value["id"] != stem or is_left(value["metadata"]["title"]):
            return None
        planted: dict[str, None] = {}
        for entry in value["falsifiers"]:
            files = self._judge(entry)
            if files is None:
                return None
            planted.update(files)
        claims = tuple(map(_count, value["falsifiers"]))
        if len({claim.id for claim in claims}) < len(claims):
            return None
        places = self._unbound(data, claims)
        depends_on = tuple(value["metadata"].get("depends_on", ()))
        if places is None or value["id"] in depends_on:
            return None
        return PlainFile(name, value["id"], claims, depends_on, tuple(planted), places)

    def name_of(self, file: FoundFile) -> str:
        """What problems call the file: its place below the project's root, if it is there."""
        inside = file.real.startswith(self._root)
        return printable(file.real[len(self._root) :] if inside else file.path)

    def _is_valid(self, value: Mapping[str, Any]) -> bool:
        kind = value.get("kind")
        is_other = isinstance(kind, str) and kind in OTHER_KINDS
        return not is_other and is_surely_valid(value)

    def _judge(self, entry: Mapping[str, Any]) -> dict[str, None] | None:
        """The files that a faultless claim plants changes in; None for any other claim."""
        for name in TEXTS:
            if is_left(entry[name]):
                return None
        shape = {key: entry[key] for key in entry if key not in _PROSE}
        key = marshal.dumps(shape, 2)  # without references: equal data has equal bytes
        if key not in self._planted:
            falsifier = read_falsifier({**shape, **_NO_PROSE})
            claim = Claim(Document("", {}, Mark(1, 1)), 0, falsifier)
            faults = any(problem for rule in _RULES for problem in rule(claim, self._world))
            files = {str(plant.patch.file): None for plant in falsifier.plants}
            self._planted[key] = None if faults else files
        return self._planted[key]

    def _unbound(
        self, data: bytes, claims: Collection[Counted]
    ) -> tuple[tuple[str, int, int], ...] | None:
        """As `PlainFile.unbound`; None where a place is not plain."""
        bound = self._world.bound
        missing = [c for c in claims if bound is not None and c.id not in bound]
        if missing and _SPELLING_ESCAPE.search(data):
            return None
        places = []
        for claim in missing:
            place = _place_of_id(data, claim.id.encode())
            if place is None:
                return None
            places.append((claim.id, *place))
        return tuple(places)


def count_falsifier(falsifier: Falsifier) -> Counted:
    """What of a record is counted."""
    return Counted(
        falsifier.id, falsifier.counted, len(falsifier.defects), len(falsifier.controls)
    )


def _count(entry: Mapping[str, Any]) -> Counted:
    return Counted(
        entry["id"],
        entry.get("counted", True),
        len(entry["defects"]),
        len(entry.get("controls", ())),
    )


def _place_of_id(data: bytes, identity: bytes) -> tuple[int, int] | None:
    """Where the value of `id` stands, for an ID that occurs once, in the plainest of lines.

    One word of letters, digits and dashes is spelled as itself, unless by escapes that spell
    such a character or join two lines, of which there is none here: the only occurrence is it.
    """
    at = data.find(identity)
    if at < 0 or data.find(identity, at + 1) >= 0:
        return None
    end = at + len(identity)
    start = data.rfind(b"\n", 0, at) + 1
    before = data[start:at]
    if data[end : end + 1] != b"\n" or before.lstrip(b" ") not in (b"id: ", b"- id: "):
        return None
    return data.count(b"\n", 0, start) + 1, len(before) + 1


def _read_small(path: str) -> bytes | None:
    """The bytes of a small regular file; None for anything else, or one that is written to."""
    try:
        descriptor = os.open(path, OPEN_FLAGS)
    except (OSError, ValueError):
        return None
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > MAX_SIZE_BYTES:
            return None
        # No more than that: memory for 64 KiB comes from the system, and goes back each time.
        data = os.read(descriptor, facts.st_size + 1)
        is_whole = len(data) == facts.st_size and is_unchanged(descriptor, facts)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return data if is_whole else None
