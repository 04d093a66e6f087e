"""From the plain data of a foreign file to the record, in one pass.

Nothing is dropped in silence: a key that no table names, and a value of another type than its
key has, are in `ForeignContract.left`. An empty value says nothing, and is as good as none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pv_harness.validating.foreign.record import (
    Declared,
    Equation,
    ForeignContract,
    ForeignFalsifier,
    Gate,
    Invariant,
    Obligation,
    Summary,
    Target,
)
from pv_harness.validating.foreign.scanning import Entry, Scanner, is_one_word
from pv_harness.validating.foreign.tables import (
    BINDING,
    CLASSIFICATION,
    CONTRACT_KEYS,
    ENFORCEMENT,
    EQUATION,
    FALSIFIER,
    FILE,
    GATE,
    HARNESS,
    INVARIANT,
    LEAN,
    METADATA,
    OBLIGATION,
    QA_GATE,
    SUMMARY,
    SUMMARY_COUNTS,
    SUMMARY_LISTS,
    is_falsifier_key,
)
from pv_harness.validating.foreign.unread import ROOT, Place


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def is_contract(value: Mapping[str, Any]) -> bool:
    """True for a mapping in which any known dialect would find something of a contract."""
    return any(key in CONTRACT_KEYS or is_falsifier_key(key) for key in value)


def read_foreign(value: Mapping[str, Any], stem: str) -> ForeignContract:
    """The record of a file's data, whatever that is; `stem` is that of the file's name."""
    return _Reader(value, stem).contract()


class _Reader:
    """One reading of one file; what it finds on the way is gathered here."""

    def __init__(self, value: Mapping[str, Any], stem: str) -> None:
        self._value = value
        self._stem = stem
        self._scanner = Scanner(value)
        self._mutations: list[str] = []

    def contract(self) -> ForeignContract:
        file = self._scanner.scan(self._value, FILE, ROOT)
        metadata = self._scanner.section("metadata", METADATA)
        falsifiers = [f for key in self._value for f in self._falsifiers(key)]
        invariants = tuple(self._invariants(falsifiers))
        gates = tuple(self._gates(falsifiers))
        harnesses = sum(1 for _ in self._scanner.entries("kani_harnesses", HARNESS, "harness"))
        for _ in (
            *self._scanner.named("enforcement", ENFORCEMENT),
            *self._scanner.entries("bindings", BINDING),
        ):
            pass  # all that they hold is links and statuses, which are gathered
        qa_gate = self._scanner.section("qa_gate", QA_GATE, "gate")
        self._mutations += qa_gate.lists.get("mutations", ())
        return ForeignContract(
            stem=self._stem,
            id=file.get("id") or metadata.get("id") or self._contract_word(),
            kind=metadata.get("kind") or file.get("kind") or "kernel",
            title=metadata.get("title") or file.get("title"),
            description=metadata.get("description") or file.get("description"),
            versions=tuple(
                (entry.texts["version"], entry.place.key("version").way)
                for entry in (file, metadata)
                if "version" in entry.texts
            ),
            references=_both("references", metadata, file),
            changelog=_both("changelog", metadata, file),
            equations=tuple(self._equations()),
            invariants=invariants,
            falsifiers=tuple(falsifiers),
            obligations=tuple(self._obligations()),
            gates=gates,
            harnesses=harnesses,
            mutations=tuple(self._mutations),
            summary=self._summary(),
            statuses=tuple(self._scanner.statuses),
            names=tuple(self._scanner.names),
            links=tuple(self._scanner.links),
            left=self._scanner.gathered.left(),
            value=self._value,
        )

    # sections

    def _falsifiers(self, key: str) -> Iterator[ForeignFalsifier]:
        if not is_falsifier_key(key):
            return
        place = ROOT.key(key)
        for at, item in self._scanner.items(self._value[key], place, FALSIFIER):
            if isinstance(item, str):
                yield ForeignFalsifier(key, at.way, refuted_if=item)
                continue
            entry = self._scanner.scan(item, FALSIFIER, at, "falsifier")
            chosen = str(at.way[-1]) if isinstance(at.way[-1], str) else None
            yield self._falsifier(key, entry, chosen if at.family.endswith(".*") else None)

    def _falsifier(self, key: str, entry: Entry, chosen: str | None = None) -> ForeignFalsifier:
        if chosen and "id" not in entry.texts:
            self._scanner.names.append(Declared("falsifier", chosen, entry.place.way))
        return ForeignFalsifier(
            key=key,
            way=entry.place.way,
            id=entry.get("id") or chosen,
            rule=entry.get("rule"),
            prediction=entry.get("prediction"),
            refuted_if=entry.get("refuted_if"),
            test=entry.get("test"),
            if_fails=entry.get("if_fails"),
            mutations=entry.lists.get("mutations", ()),
            entry=entry.value,
            sources=entry.sources,
        )

    def _invariants(self, falsifiers: list[ForeignFalsifier]) -> Iterator[Invariant]:
        for at, item in self._scanner.items(
            self._value.get("invariants"), ROOT.key("invariants"), None
        ):
            if isinstance(item, str):
                yield Invariant(item, at.way)
                continue
            entry = self._scanner.scan(item, INVARIANT, at, "invariant")
            refuted = "refuted_if" in entry.texts
            if refuted:
                falsifiers.append(self._falsifier("invariants", entry))
            yield Invariant(entry.get("rule") or "", at.way, entry.get("id"), refuted)

    def _gates(self, falsifiers: list[ForeignFalsifier]) -> Iterator[Gate]:
        for entry in self._scanner.entries("gates", GATE, "gate"):
            if "rule" in entry.texts:
                falsifiers.append(self._falsifier("gates", entry))
            condition = entry.get("condition")
            if condition and "condition" in entry.value:
                self._scanner.link(condition, entry.place.key("condition"), Target.FALSIFIER)
            yield Gate(entry.place.way, entry.get("id"), condition)

    def _equations(self) -> Iterator[Equation]:
        place = ROOT.key("equations")
        for at, item in self._scanner.items(self._value.get("equations"), place, EQUATION):
            name = str(at.way[-1]) if at.family.endswith(".*") else ""
            if isinstance(item, str):
                yield Equation(name, at.way, formula=item)
                continue
            entry = self._scanner.scan(item, EQUATION, at)
            yield Equation(
                name=name or entry.get("name") or "",
                way=at.way,
                formula=entry.get("formula"),
                domain=entry.get("domain"),
                codomain=entry.get("codomain"),
                invariants=tuple(self._sentences(item.get("invariants"), at.key("invariants"))),
                entry=item,
                sources=entry.sources,
            )

    def _sentences(self, value: object, place: Place) -> Iterator[Invariant]:
        for at, item in self._scanner.items(value, place, None):
            if isinstance(item, str):
                yield Invariant(item, at.way)
            else:
                entry = self._scanner.scan(item, INVARIANT, at, "invariant")
                yield Invariant(entry.get("rule") or "", at.way, entry.get("id"))

    def _obligations(self) -> Iterator[Obligation]:
        for entry in self._scanner.entries("proof_obligations", OBLIGATION, "obligation"):
            lean = self._scanner.mapping(entry.value.get("lean"), LEAN, entry.place.key("lean"))
            status = lean.value.get("status")
            yield Obligation(
                way=entry.place.way,
                id=entry.get("id"),
                kind=entry.get("kind"),
                property=entry.get("property"),
                formal=entry.get("formal"),
                tolerance=entry.get("tolerance"),
                proof=status if isinstance(status, str) else None,
            )

    def _summary(self) -> Summary | None:
        value = self._value.get("verification_summary")
        if not isinstance(value, dict):
            if value is not None and not isinstance(value, str):  # prose is prose
                place = ROOT.key("verification_summary")
                self._scanner.gathered.unexpected(place, value, "a mapping of counts")
            return None
        entry = self._scanner.section("verification_summary", SUMMARY)
        counts: dict[str, int] = {}
        for key in SUMMARY_COUNTS:
            number = value.get(key)
            if isinstance(number, int) and not isinstance(number, bool):
                counts[key] = number
            elif number is not None:
                self._scanner.gathered.unexpected(
                    entry.place.key(key), number, "a whole number"
                )
        return Summary(entry.place.way, counts, self._named_in(entry))

    def _named_in(self, summary: Entry) -> dict[str, int]:
        """How many obligations a summary lists as proved, and as not to be proved."""
        lists = {}
        for key in (*SUMMARY_LISTS, CLASSIFICATION):
            item = summary.value.get(key)
            if isinstance(item, list):
                lists[key] = item
            elif item is not None:
                self._scanner.gathered.unexpected(summary.place.key(key), item, "a list")
        named = {SUMMARY_LISTS[k]: len(v) for k, v in lists.items() if k in SUMMARY_LISTS}
        if CLASSIFICATION in lists:
            entries = [e.get("class") for e in lists[CLASSIFICATION] if isinstance(e, dict)]
            proved = sum(isinstance(c, str) and "proved" in c for c in entries)
            named |= {"l4_lean_proved": proved, "l4_not_applicable": len(entries) - proved}
        return named

    def _contract_word(self) -> str | None:
        """Some files give their ID under `contract`; others put a text there."""
        value = self._value.get("contract")
        if isinstance(value, str):
            return value if is_one_word(value) else None
        if value is not None:
            self._scanner.gathered.unexpected(ROOT.key("contract"), value, "text")
        return None


def _both(name: str, *entries: Entry) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for e in entries for text in e.lists.get(name, ())))
