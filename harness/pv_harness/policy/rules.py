"""What no schema can say of a policy file: one small generator per rule, named like it."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from datetime import date, timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from pv_harness.documents.problem import Severity
from pv_harness.policy.policy import MAX_WAIVER_DAYS
from pv_harness.wording import show


if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from pv_harness.documents.document import Document
    from pv_harness.documents.problem import Problem

    Rule = Callable[["_Section"], Iterator[Problem]]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The project around a policy file, as far as it is known. None: that is not judged.

    Attributes:
        falsifiers: ID of every falsifier -> ID of its contract.
        signers: names of trusted keys.
        today: the day on which waivers have to hold, in UTC.
    """

    falsifiers: Mapping[str, str] | None = None
    signers: Collection[str] | None = None
    today: date | None = None


def apply_policy_rules(
    document: Document, broken: Collection[tuple[str | int, ...]], around: Surroundings
) -> Iterator[Problem]:
    """Every problem that the rules find in the entries that the schema accepts."""
    section = _Section(document, broken, around)
    for rule in _RULES:
        yield from rule(section)


@dataclass(frozen=True, slots=True)
class _Section:
    """A policy file whose broken entries are passed over."""

    document: Document
    broken: Collection[tuple[str | int, ...]]
    around: Surroundings

    def policies(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        entries = self.document.value.get("policies")
        if isinstance(entries, dict) and ("policies",) not in self.broken:
            yield from (
                (name, entry)
                for name, entry in entries.items()
                if ("policies", name) not in self.broken
            )

    def waivers(self) -> Iterator[tuple[int, Mapping[str, Any]]]:
        entries = self.document.value.get("waivers")
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            if ("waivers", index) not in self.broken:
                yield index, entry

    def spans(self) -> Iterator[tuple[int, Mapping[str, Any], date, date]]:
        """The waivers whose two dates are days of the calendar."""
        for index, entry in self.waivers():
            created, expires = (_day(entry[key]) for key in ("created", "expires"))
            if created is not None and expires is not None:
                yield index, entry, created, expires

    def problem(self, code: str, message: str, *keys: str | int) -> Problem:
        return self.document.problem(code, message, self.document.position(keys))


def dates_are_days(section: _Section) -> Iterator[Problem]:
    """PV060: a date that no calendar has."""
    for index, entry in section.waivers():
        for key in ("created", "expires"):
            if _day(entry[key]) is None:
                what = f"{entry['id']}: {key} is {show(entry[key])}, which is no day"
                yield section.problem("PV060", what, "waivers", index, key)


def waivers_are_short(section: _Section) -> Iterator[Problem]:
    """PV061: a waiver ends at most 90 days after it was given, and not before."""
    for index, entry, created, expires in section.spans():
        days = (expires - created).days
        if days < 0:
            what = f"{entry['id']}: expires {expires}, before it was created ({created})"
        elif days > MAX_WAIVER_DAYS:
            last = created + timedelta(days=MAX_WAIVER_DAYS)
            what = (
                f"{entry['id']}: lasts {days} days, until {expires}; "
                f"the most is {MAX_WAIVER_DAYS}, until {last}"
            )
        else:
            continue
        yield section.problem("PV061", what, "waivers", index, "expires")


def waivers_are_not_from_the_future(section: _Section) -> Iterator[Problem]:
    """PV062: a waiver created tomorrow would last longer than 90 days from now."""
    today = section.around.today
    for index, entry, created, _ in section.spans():
        if today is not None and created > today:
            what = f"{entry['id']}: created {created}, which is after today ({today})"
            yield section.problem("PV062", what, "waivers", index, "created")


def waivers_have_not_expired(section: _Section) -> Iterator[Problem]:
    """PV063: what was excused until a day that has passed."""
    today = section.around.today
    for index, entry, _, expires in section.spans():
        if today is not None and expires < today:
            what = (
                f"{entry['id']}: expired on {expires}; {entry['falsifier']} is not excused "
                f"any more: remove the waiver, or have {show(entry['owner'])} decide anew"
            )
            yield section.problem("PV063", what, "waivers", index, "expires")


def waivers_are_unique(section: _Section) -> Iterator[Problem]:
    """PV064: one waiver, one name, one falsifier in any policy."""
    names: dict[str, int] = {}
    targets: dict[str, int] = {}
    for index, entry in section.waivers():
        for key, seen in (("id", names), ("falsifier", targets)):
            first = seen.setdefault(entry[key], index)
            if first != index:
                line = section.document.position(["waivers", first, key])[0]
                what = f"{entry['id']}: {key} {entry[key]} is given twice; first at line {line}"
                yield section.problem("PV064", what, "waivers", index, key)


def waivers_name_a_falsifier(section: _Section) -> Iterator[Problem]:
    """PV065: a waiver for what does not exist excuses nothing, or a later namesake."""
    known = section.around.falsifiers
    for index, entry in section.waivers():
        name = entry["falsifier"]
        if known is not None and name not in known:
            what = f"{entry['id']}: no contract declares {name}{_meant(name, known)}"
            yield section.problem("PV065", what, "waivers", index, "falsifier")


def policies_of_waivers_exist(section: _Section) -> Iterator[Problem]:
    """PV066: a waiver that is limited to a policy which is not there."""
    value = section.document.value.get("policies")
    known = list(value) if isinstance(value, dict) else []
    for index, entry in section.waivers():
        for position, name in enumerate(entry.get("policies", ())):
            if name not in known:
                what = f"{entry['id']}: there is no policy {show(name)}{_meant(name, known)}"
                yield section.problem("PV066", what, "waivers", index, "policies", position)


def patterns_match_something(section: _Section) -> Iterator[Problem]:
    """PV067: a pattern that matches nothing is a misspelt one, and asks nothing."""
    known = section.around.falsifiers
    if known is None:
        return
    names = {*known, *known.values()}
    for policy, entry in section.policies():
        for index, item in enumerate(entry["require"]):
            pattern = item["pattern"]
            if not any(fnmatchcase(name, pattern) for name in names):
                what = f"{policy}: {show(pattern)} names no falsifier and no contract"
                what += _meant(pattern, names)
                yield section.problem(
                    "PV067", what, "policies", policy, "require", index, "pattern"
                )


def signers_have_a_key(section: _Section) -> Iterator[Problem]:
    """PV068: without a trusted key no signature by that name can ever verify.

    A warning, since other policies of the file are none the worse; the gate refuses this one.
    """
    known = section.around.signers
    for policy, entry in section.policies():
        for index, name in enumerate(entry.get("signers", ())):
            if known is not None and name not in known:
                what = f"{policy}: [tool.pv.keys] has no key for the signer {show(name)}"
                what += _meant(name, known)
                place = section.document.position(["policies", policy, "signers", index])
                yield section.document.problem("PV068", what, place, Severity.WARNING)


_RULES: tuple[Rule, ...] = (
    dates_are_days,
    waivers_are_short,
    waivers_are_not_from_the_future,
    waivers_have_not_expired,
    waivers_are_unique,
    waivers_name_a_falsifier,
    policies_of_waivers_exist,
    patterns_match_something,
    signers_have_a_key,
)


def _meant(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
