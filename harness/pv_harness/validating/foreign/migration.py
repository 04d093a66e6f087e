"""From the record of a foreign file to a native contract, and to what a person has to add.

Sentences stay as they are. What the native form has no key for becomes a comment where it
stood. Typed statuses and counts are left out: they are for evidence to say. What nobody can
know from the file, which modules a claim covers, say, is a placeholder with a TODO beside it,
and a claim that has one counts nowhere.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pv_harness.documents.schema_check import API_VERSION
from pv_harness.validating.foreign.native_claim import claim_of, placeholders, undone
from pv_harness.validating.foreign.native_ids import FalsifierIds
from pv_harness.validating.foreign.native_text import write_comment, write_entry, write_word
from pv_harness.validating.foreign.record import ForeignFalsifier, Unread
from pv_harness.validating.foreign.tables import SUMMARY_COUNTS, is_falsifier_key
from pv_harness.validating.rules.texts import TO_DO
from pv_harness.wording import counted, show


if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from pv_harness.validating.foreign.record import Equation, ForeignContract, Way

_VERSION: Final = re.compile(r"v?([0-9]{1,9})(?:\.([0-9]{1,9}))?(?:\.([0-9]{1,9}))?")
_LONGEST_TITLE = 120
_LONGEST_NAME = 100
_LONGEST_REASON = 200
_HEAD: Final = frozenset({"version", "title", "description", "summary"})
"""Keys whose texts the head of a native contract has, from whichever place they are."""
_LISTS: Final = ("references", "changelog")


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for.

    Attributes:
        id: of the contract to be: the stem of the file that it goes to.
        source: what the foreign file is called.
        covers: modules that every claim is about; without any, that is left to do.
        contracts: IDs of the project's contracts, which `depends_on` may name.
        taken: IDs of falsifiers that a made-up ID must not be.
    """

    id: str
    source: str
    covers: tuple[str, ...] = ()
    contracts: Collection[str] = ()
    taken: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class ToDo:
    """What a person has to do, and the line of the native text, from 1, that it is about."""

    line: int
    what: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What was typed and is for evidence to say, and where it stands in the foreign file."""

    way: Way
    what: str


@dataclass(frozen=True, slots=True)
class Migration:
    """A native contract as text, and what it is not."""

    text: str
    to_do: tuple[ToDo, ...]
    left_out: tuple[LeftOut, ...]


def migrate(contract: ForeignContract, request: Request) -> Migration:
    """The native form of a foreign contract. It validates, with a warning for each claim."""
    writer = _Writer(contract, request)
    writer.head()
    writer.metadata()
    writer.equations()
    writer.falsifiers()
    writer.rest()
    text = "\n".join(writer.lines) + "\n"
    return Migration(text, tuple(writer.to_do), tuple(_left_out(contract)))


class _Writer:
    """Writes one contract from top to bottom, and notes what is left to do on the way."""

    def __init__(self, contract: ForeignContract, request: Request) -> None:
        self.lines: list[str] = []
        self.to_do: list[ToDo] = []
        self._contract = contract
        self._request = request
        self._head: set[str] = set()  # texts that stand in the head already
        self._statuses = {claim.way for claim in contract.statuses}
        self._misread = [left.family for left in contract.left if left.why is Unread.VALUE]

    def head(self) -> None:
        source = f"From {self._request.source}, by `pv migrate`."
        self._comment([source, f"{TO_DO} marks what a person has to say."])
        self._entry("apiVersion", API_VERSION)
        self._entry("id", self._request.id)
        given = self._contract.version
        version = _semantic(given)
        if version is None:
            self._todo("version", f"it is {show(given)}" if given else "the file has none")
        elif given:
            self._head.add(given)
        self._entry("version", version or "1.0.0")

    def metadata(self) -> None:
        contract = self._contract
        self.lines.append("metadata:")
        title, description = _title(contract)
        if title is None:
            self._todo("metadata.title", "the file has none", 1)
        self._head |= {text for text in (title, description) if text}
        name = contract.id or contract.stem
        self._entry("title", " ".join((title or f"{TO_DO}: {name}").split()), 1)
        if description:
            self._entry("description", description, 1)
        for key in _LISTS:
            if texts := getattr(contract, key):
                self._entry(key, list(texts), 1)
        written = {key for key in _LISTS if self._was_read(f"metadata.{key}")}
        if self._depends_on():
            written.add("depends_on")
        metadata = contract.value.get("metadata")
        if isinstance(metadata, dict):
            self._besides(metadata, ("metadata",), written, 1)

    def equations(self) -> None:
        if self._contract.equations:
            self.lines += ["", "equations:"]
        used: set[str] = set()
        for number, equation in enumerate(self._contract.equations, 1):
            fits = 0 < len(equation.name) <= _LONGEST_NAME and equation.name not in used
            name = equation.name if fits else f"equation-{number}"
            used.add(name)
            self._equation(name, equation)

    def falsifiers(self) -> None:
        falsifiers = self._contract.falsifiers
        self.lines += ["", "falsifiers:"]
        if not falsifiers:
            self._todo("falsifiers", "the file has none; this one is a placeholder")
            falsifiers = (ForeignFalsifier("", ()),)
        ids = FalsifierIds(self._request.id, (f.id for f in falsifiers), self._request.taken)
        for falsifier in falsifiers:
            self._falsifier(falsifier, ids.give(falsifier.id))

    def rest(self) -> None:
        """What the native form has no key for, as comments below."""
        contract = self._contract
        claimed = {falsifier.way for falsifier in contract.falsifiers}
        written = {key for key in _LISTS if self._was_read(key)} | {"metadata"}
        rest = self._unwritten(contract.value, (), written)
        for key, value in contract.value.items():
            if key == "equations" or is_falsifier_key(key):
                rest[key] = _unread_parts(value)
            elif key in {"invariants", "gates"} and isinstance(value, list):
                left = {str(i): v for i, v in enumerate(value) if (key, i) not in claimed}
                kept = [self._without_statuses(v, (key, int(i))) for i, v in left.items()]
                rest[key] = kept or None
            elif key == "verification_summary" and isinstance(value, dict):
                kept_keys = {k: v for k, v in value.items() if k not in SUMMARY_COUNTS}
                rest[key] = self._without_statuses(kept_keys, (key,)) or None
            elif key == "metadata" and not isinstance(value, dict):
                rest[key] = value
        rest = {key: value for key, value in rest.items() if value is not None}
        if rest:
            self.lines.append("")
            self._comment(["What the foreign file says besides, without typed statuses:"])
            self._comment(line for key in rest for line in write_entry(key, rest[key]))

    # parts

    def _depends_on(self) -> bool:
        """Writes the contracts of this project among those named; True if that is all."""
        links = [link for link in self._contract.links if "depends_on" in link.way]
        names = list(dict.fromkeys(link.name for link in links))
        known = [name for name in names if name in self._request.contracts]
        known = [name for name in known if name != self._request.id]
        absent = [show(name) for name in names if name not in known]
        if absent:
            self._todo("depends_on", f"not native yet: {', '.join(absent)}", 1)
        if known:
            self._entry("depends_on", known, 1)
        return bool(names) and not absent and self._was_read("metadata.depends_on")

    def _equation(self, name: str, equation: Equation) -> None:
        self.lines.append(f"  {write_word(name)}:")
        if equation.formula is None:
            self._todo("formula", "the file has none", 2)
        self._entry("formula", equation.formula or f"{TO_DO}: the equation", 2)
        for key in ("domain", "codomain"):
            if text := getattr(equation, key):
                self._entry(key, text, 2)
        if texts := [i.text for i in equation.invariants if i.text.strip()]:
            self._entry("invariants", texts, 2)
        written = {k for field, k in equation.sources.items() if field != "name"}
        written |= {"name"} if equation.entry.get("name") == name else set()
        written |= {"invariants"} if _is_texts(equation.entry.get("invariants")) else set()
        self._besides(equation.entry, equation.way, written, 2)

    def _falsifier(self, falsifier: ForeignFalsifier, identity: str) -> None:
        start = len(self.lines)
        self.lines.append(f"- id: {identity}")
        if falsifier.id and falsifier.id != identity:
            self._comment([f"Its ID in the foreign file: {falsifier.id}"], 1)
        claim, written = claim_of(falsifier)
        for key, text in claim.items():
            self._entry(key, text, 1)
        if "test" in falsifier.sources:
            marker = f'@pytest.mark.falsifies("{identity}")'
            self._comment([f"{TO_DO}: a check marked {marker}; the foreign file says:"], 1)
        self._besides(falsifier.entry, falsifier.way, written, 1)
        self.lines += placeholders(self._request.covers)
        left = undone(falsifier, claim, self._request.covers)
        renamed = "" if falsifier.id in (identity, None) else f", was {show(falsifier.id)}"
        self.to_do.append(ToDo(start + 1, f"{identity}{renamed}: {left}"))

    # lines

    def _entry(self, key: str, value: object, depth: int = 0) -> None:
        self.lines += write_entry(key, value, depth)

    def _comment(self, lines: Iterable[str], depth: int = 0) -> None:
        self.lines += write_comment(lines, depth)

    def _todo(self, what: str, why: str, depth: int = 0) -> None:
        """A comment where the next line is, and an entry in the list of what is left."""
        why = why if len(why) <= _LONGEST_REASON else f"{why[:_LONGEST_REASON]}..."
        self._comment([f"{TO_DO}: {what}; {why}"], depth)
        self.to_do.append(ToDo(len(self.lines), f"{what}: {why}"))

    def _besides(
        self, value: Mapping[str, Any], way: Way, written: Collection[str], depth: int
    ) -> None:
        """What a mapping says besides what is written, as comments."""
        rest = self._unwritten(value, way, written)
        self._comment((line for key in rest for line in write_entry(key, rest[key])), depth)

    def _unwritten(
        self, value: Mapping[str, Any], way: Way, written: Collection[str]
    ) -> dict[str, Any]:
        head = len(way) == 0 or way == ("metadata",)
        return {
            key: self._without_statuses(item, (*way, key))
            for key, item in value.items()
            if key not in written
            and item is not None
            and (*way, key) not in self._statuses
            and not (head and key in _HEAD and str(item) in self._head)
        }

    def _without_statuses(self, value: object, way: Way) -> Any:
        if isinstance(value, dict):
            inside = {key: (*way, key) for key in value}
            return {
                key: self._without_statuses(value[key], at)
                for key, at in inside.items()
                if at not in self._statuses
            }
        if isinstance(value, list):
            return [self._without_statuses(v, (*way, i)) for i, v in enumerate(value)]
        return value

    def _was_read(self, family: str) -> bool:
        inside = (f"{family}.", f"{family}[")
        return not any(f == family or f.startswith(inside) for f in self._misread)


def _left_out(contract: ForeignContract) -> Iterator[LeftOut]:
    families = Counter(claim.family for claim in contract.statuses)
    first = {claim.family: claim for claim in reversed(contract.statuses)}
    for family, count in families.items():
        many = f"{count} typed statuses, the first " if count > 1 else "the typed status "
        yield LeftOut(first[family].way, f"{family}: {many}{show(first[family].word)}")
    summary = contract.summary
    if summary and summary.counts:
        what = counted(len(summary.counts), "typed count")
        yield LeftOut(summary.way, f"verification_summary: {what}")


def _title(contract: ForeignContract) -> tuple[str | None, str | None]:
    """Title and description; a description that is one short line is a title."""
    title, description = contract.title, contract.description
    if title or not description:
        return title, description
    short = "\n" not in description.strip() and len(description) <= _LONGEST_TITLE
    return (description, None) if short else (None, description)


def _semantic(version: str | None) -> str | None:
    """`1` and `1.0` as `1.0.0`; None for what is no version."""
    found = _VERSION.fullmatch((version or "").strip())
    return ".".join(str(int(part or 0)) for part in found.groups()) if found else None


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _unread_parts(value: object) -> Any:
    """What stands among equations or falsifiers and is neither a mapping nor a text."""
    if isinstance(value, list):
        return [v for v in value if not isinstance(v, dict | str) and v is not None] or None
    if isinstance(value, dict):
        return {
            k: v for k, v in value.items() if not isinstance(v, dict | str) and v is not None
        } or None
    return None if isinstance(value, str) else value
