"""Every code that a problem can have: what it says, what leads to it, what to do.

Numbers are permanent: a code is never given to another rule. Their tens are families.
`rule_examples` has a bad and a good example of each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pv_harness.errors import UsageError
from pv_harness.wording import show


@dataclass(frozen=True, slots=True)
class RuleCode:
    """One code.

    Attributes:
        title: what is wrong, in one line.
        cause: what usually leads to it, or why it is an error at all.
        remedy: what to do.
    """

    code: str
    title: str
    cause: str
    remedy: str

    @property
    def family(self) -> str:
        """What the codes of its ten are about."""
        return FAMILIES[self.code[:4]]


FAMILIES: Final = {
    "PV00": "the file as YAML",
    "PV01": "the schema",
    "PV02": "names",
    "PV03": "checks and subject",
    "PV04": "bounds and levels",
    "PV05": "planted changes",
    "PV06": "policies and waivers",
    "PV07": "releases",
    "PV08": "foreign contracts",
    "PV09": "foreign contracts",
}
"""What the codes that begin so are about."""

_ALL = (
    RuleCode(
        "PV001",
        "The file can't be read",
        "It is missing, not permitted, or no regular file: a pipe would hang any reader.",
        "Give a readable regular file.",
    ),
    RuleCode(
        "PV002",
        "The file goes beyond a limit",
        "More than 1 MiB, 64 levels, 50,000 values with aliases written out, 1,000 problems, "
        "or a number of more than 64 characters.",
        "Split the contract; no real one comes near.",
    ),
    RuleCode(
        "PV003",
        "The file is not plain UTF-8 text",
        "UTF-16, a byte order mark or a control character: readers disagree on them.",
        "Save the file as UTF-8 without a byte order mark, and remove the character.",
    ),
    RuleCode(
        "PV004",
        "The file is not YAML",
        "Most often an unclosed quote or bracket, a colon inside a plain text, or a tab.",
        "Close what is open, quote the text, or indent with spaces.",
    ),
    RuleCode(
        "PV005",
        "A key is given twice in one mapping",
        "Most YAML readers silently keep one of the two.",
        "Remove one, or merge their values.",
    ),
    RuleCode(
        "PV006",
        "An anchor, alias, tag, merge key or directive",
        "A few of them can fill the memory, and a reader has to look elsewhere for the value.",
        "Write the value out where it is used.",
    ),
    RuleCode(
        "PV007",
        "A second document in the file",
        "Readers take the first document and leave the others unread.",
        "Give each contract a file of its own.",
    ),
    RuleCode(
        "PV008",
        "The file is empty",
        "A contract was not saved, or is all comments.",
        "Write the contract, or remove the file.",
    ),
    RuleCode(
        "PV009",
        "The file is not a mapping",
        "Its first level is a list or a single value.",
        "Begin with `apiVersion: pv/v1`.",
    ),
    RuleCode(
        "PV010",
        "A value is not what the schema asks for",
        "Another type, an unknown word, an empty text or a name of another form.",
        "Write what the message asks for.",
    ),
    RuleCode(
        "PV011",
        "An unknown key",
        "A misspelt key; if it were ignored, what it says would be lost.",
        "Correct the spelling, or move the text to `note` or `description`.",
    ),
    RuleCode(
        "PV012",
        "A key is missing",
        "Every claim says what it covers, what it is held against and how its check can fail.",
        "Add the key.",
    ),
    RuleCode(
        "PV013",
        "The apiVersion is not one that this version reads",
        "The contract was written for another version of pv.",
        "Write `apiVersion: pv/v1`, or use the pv that the contract was written for.",
    ),
    RuleCode(
        "PV014",
        "A foreign contract, which is not judged",
        "The file has no apiVersion, and nothing in it is what a known dialect has.",
        "Add `apiVersion: pv/v1` and the native keys, or keep it out of the folder.",
    ),
    RuleCode(
        "PV015",
        "A text is still to be written",
        "`pv new` leaves what a claim says to its author, and it still begins with TODO.",
        "Say what must hold, what would be measured, and what a user suffers if it fails.",
    ),
    RuleCode(
        "PV020",
        "The id is not the file's stem",
        "The file was renamed or copied.",
        "Make both the same; the id is the one that references use.",
    ),
    RuleCode(
        "PV021",
        "A falsifier ID is declared twice",
        "With one ID and two meanings, evidence for one claim discharges the other.",
        "Give the newer claim a new ID.",
    ),
    RuleCode(
        "PV022",
        "A contract id is declared twice",
        "The contract was copied.",
        "Give the copy another id and another file name.",
    ),
    RuleCode(
        "PV023",
        "A status is typed by hand",
        "Statuses are derived from evidence; a typed one is a claim that nothing checks.",
        "Remove the key; `pv scoreboard` shows the status.",
    ),
    RuleCode(
        "PV024",
        "depends_on names no contract of the project",
        "The contract was renamed or removed, or the name is misspelt.",
        "Correct the name, or remove it.",
    ),
    RuleCode(
        "PV030",
        "A file of checks can't be read or parsed",
        "Checks are found in the syntax tree, without importing anything.",
        "Correct the file at the place named.",
    ),
    RuleCode(
        "PV031",
        "A check is bound to an ID that no contract declares",
        "The ID is misspelt, or the claim was removed.",
        "Correct the ID in the marker, or remove the check.",
    ),
    RuleCode(
        "PV032",
        "UNBOUND: no check is bound to the falsifier",
        "A claim that nothing tries to refute; its status can be nothing but UNBOUND.",
        "Write a test and mark it with the ID.",
    ),
    RuleCode(
        "PV033",
        "A marker that can't be read from the syntax",
        "Its argument is computed, or it stands where no static reading finds it.",
        'Write `@pytest.mark.falsifies("ID")` on the test function.',
    ),
    RuleCode(
        "PV034",
        "A marked function that is never collected",
        "pytest collects functions named test*, alone or in classes named Test*.",
        "Call the function test..., and a class around it Test...; or remove the marker.",
    ),
    RuleCode(
        "PV035",
        "A covered module does not exist or can't be read",
        "Without a file nothing can make the claim's evidence stale.",
        "Correct `covers`, or `source_roots` in [tool.pv].",
    ),
    RuleCode(
        "PV036",
        "An entry point does not exist or can't be watched",
        "`reached` names no top-level function, or one that a decorator wraps.",
        "Name a plain function, in the form module:function.",
    ),
    RuleCode(
        "PV037",
        "A check is bound to two claims",
        "pytest reads the closest marker; the other claim would be judged by nothing.",
        "Write one test for each claim.",
    ),
    RuleCode(
        "PV038",
        "A check is defined twice under one name",
        "Python keeps the last definition, so that the first is never run.",
        "Give each a name of its own.",
    ),
    RuleCode(
        "PV039",
        "The path of a file of checks can't stand in a node ID",
        "In a node ID, `[` begins the parameters and `::` begins the function.",
        "Rename the file or its folder.",
    ),
    RuleCode(
        "PV040",
        "Levels are out of order",
        "The last level listed is the ceiling.",
        "List PARTIAL, INTEGRATION, DISCHARGED in that order.",
    ),
    RuleCode(
        "PV041",
        "A level adds no condition",
        "Whatever meets the level before would meet this one too.",
        "Add what a record must show for it, or remove the level.",
    ),
    RuleCode(
        "PV042",
        "An input is not declared",
        "Without a command in [tool.pv.inputs] there is no digest to record.",
        "Declare the input, or correct the name.",
    ),
    RuleCode(
        "PV043",
        "A level asks for an input that the falsifier does not list",
        "The record holds digests of the falsifier's inputs alone.",
        "Add the name to the falsifier's `inputs`.",
    ),
    RuleCode(
        "PV044",
        "Bounds that no value meets",
        "Comparators contradict each other, or thresholds are of different kinds.",
        "Correct one of them.",
    ),
    RuleCode(
        "PV045",
        "A number that is not finite",
        "NaN breaks every bound, infinity keeps every bound.",
        "Write a finite number.",
    ),
    RuleCode(
        "PV046",
        "A rule for seeds that can't be applied",
        "A t-test compares a mean of three or more numbers with a threshold on one side of it.",
        "List three seeds or more, bound with lt, le, gt or ge alone, and state `confidence`.",
    ),
    RuleCode(
        "PV050",
        "Two planted changes have one id",
        "Results are kept by the name of the change.",
        "Rename one of them.",
    ),
    RuleCode(
        "PV051",
        "The file of a planted change can't be used",
        "It is missing, outside the project (also through a link), or not UTF-8 text.",
        "Name a text file of the project, from its root, with forward slashes.",
    ),
    RuleCode(
        "PV052",
        "The text to find does not stand in the file exactly once",
        "The source was edited since, or the text is too short to be unique.",
        "Take more of the line, or bring the text up to date.",
    ),
    RuleCode(
        "PV053",
        "A planted change changes nothing",
        "The replacement is the same text, or differs in comments and layout alone.",
        "Plant a change that alters what the program does.",
    ),
    RuleCode(
        "PV054",
        "The changed file does not compile",
        "A crash is no kill: the check has to fail by its own measurement.",
        "Correct the replacement, indentation included; or the file, where it says so.",
    ),
    RuleCode(
        "PV055",
        "A defect expects a metric without a bound",
        "A defect is killed when the bound of the metric that it names breaks.",
        "Name one of the metrics in `bounds`.",
    ),
    RuleCode(
        "PV056",
        "Fewer than two planted defects",
        "A check that is shown to notice one defect may notice only that one.",
        "Plant a second one, a subtle one; or set `counted: false`.",
    ),
    RuleCode(
        "PV057",
        "One planted change under two names",
        "It would be counted twice.",
        "Remove one, or plant another change.",
    ),
    RuleCode(
        "PV058",
        "A planted change outside the subject",
        "A change to the checks, or to a file that no covered module imports, shows nothing.",
        "Plant it in a covered module or in what one imports, or correct `covers`.",
    ),
    RuleCode(
        "PV060",
        "A date of a waiver is no day of the calendar",
        "It has the form of a date, and the month or the day does not exist.",
        "Write the day that was meant.",
    ),
    RuleCode(
        "PV061",
        "A waiver lasts longer than 90 days",
        "What is excused for longer is no exception any more; or it ends before it begins.",
        "Choose an earlier end; a new decision is a new waiver.",
    ),
    RuleCode(
        "PV062",
        "A waiver was created in the future",
        "Counted from now it would last longer than 90 days; or a clock is wrong.",
        "Write the day on which it was given.",
    ),
    RuleCode(
        "PV063",
        "A waiver has expired",
        "The day until which somebody answered for it has passed.",
        "Remove it; if it has to go on, its owner gives a new one with a new reason.",
    ),
    RuleCode(
        "PV064",
        "Two waivers with one id, or for one falsifier",
        "Nobody can say which of the two holds.",
        "Remove one of them.",
    ),
    RuleCode(
        "PV065",
        "A waiver names no falsifier of the project",
        "The ID is misspelt, or the claim was removed.",
        "Correct the ID, or remove the waiver.",
    ),
    RuleCode(
        "PV066",
        "A waiver is limited to a policy that does not exist",
        "The policy was renamed, or its name is misspelt.",
        "Correct the name.",
    ),
    RuleCode(
        "PV067",
        "A requirement names no falsifier and no contract",
        "A pattern that matches nothing is misspelt, and the gate would ask nothing by it.",
        "Correct the pattern, or remove the requirement.",
    ),
    RuleCode(
        "PV068",
        "A signer without a key",
        "Only a key in [tool.pv.keys] can show that evidence was signed by that name.",
        "Add the public key there, or correct the name.",
    ),
    RuleCode(
        "PV069",
        "A waiver that nothing needs",
        "Its falsifier passes; left in place it would excuse the next defect unseen.",
        "Remove it; or limit it, with `policies`, to the gate that needs it.",
    ),
    RuleCode(
        "PV070",
        "Two steps of a release have one id",
        "Whatever needs that step would need either of them.",
        "Rename one of them.",
    ),
    RuleCode(
        "PV071",
        "A step needs a step that does not exist",
        "The step was renamed or removed, or the name is misspelt.",
        "Correct the name.",
    ),
    RuleCode(
        "PV072",
        "Steps that wait for each other",
        "Of steps in a circle none can ever be the next one.",
        "Remove one of the prerequisites in the circle.",
    ),
    RuleCode(
        "PV080",
        "A foreign contract without any falsifier",
        "A file that nothing could refute reads as governance, and governs nothing.",
        "Say how its claims could fail, or don't count it as a contract.",
    ),
    RuleCode(
        "PV081",
        "Falsifiers under a key that other tools ignore",
        "Tools of the dialect read `falsification_tests` alone and drop other keys in silence.",
        "Move them to `falsification_tests`, or let `pv migrate` write the native form.",
    ),
    RuleCode(
        "PV082",
        "An invariant that no falsifier names",
        "No falsifier of the file mentions its ID or its words, and none is called as it says.",
        "Add a falsifier for it, or name the invariant in the one that there is.",
    ),
    RuleCode(
        "PV083",
        "A reference that resolves to nothing",
        "What it names was renamed, moved or never written.",
        "Correct the name, or remove the reference.",
    ),
    RuleCode(
        "PV084",
        "One ID is declared twice",
        "Whoever names it, in this file or in another, may mean either of the two.",
        "Give the newer one another ID.",
    ),
    RuleCode(
        "PV085",
        "Two contracts have one stem",
        "Contracts refer to each other by the stems of their files.",
        "Rename one of the files, or remove the copy.",
    ),
    RuleCode(
        "PV086",
        "A file gives itself two versions",
        "One of the two places was forgotten when the other was raised.",
        "Keep one of them.",
    ),
    RuleCode(
        "PV087",
        "A typed count is not what there is to count",
        "Nobody updates a summary; it goes on saying what was true once.",
        "Remove the summary: counts are derived.",
    ),
    RuleCode(
        "PV088",
        "A typed status that no evidence supports",
        "No record of a run is stored for the falsifiers that it is about.",
        "Remove it, migrate the falsifiers, and let `pv run` earn the status.",
    ),
    RuleCode(
        "PV089",
        "A prediction without a number or a bound",
        "It does not say what is measured, nor against what: no result is clearly a failure.",
        "State the quantity and what it is held against.",
    ),
    RuleCode(
        "PV090",
        "A test that does not exist",
        "`test` names a pytest node; its file has no such function, or is not there.",
        "Correct the name, or write the test.",
    ),
    RuleCode(
        "PV091",
        "A key of a foreign file that is not understood",
        "It is misspelt, or its dialect is unknown; what it says is not judged.",
        "Correct it; docs/foreign.md lists what is understood.",
    ),
    RuleCode(
        "PV092",
        "A value of a foreign file that is not understood",
        "The key is known, and has a value of another type in every known dialect.",
        "Write what the message asks for.",
    ),
    RuleCode(
        "PV093",
        "A claim that names no subject yet",
        "`pv migrate` leaves `covers: [TODO]`: nothing could make its evidence stale.",
        "Name the modules that the claim is about.",
    ),
    RuleCode(
        "PV094",
        "A version that YAML reads as another number",
        "Without quotes 1.10 is the number 1.1 to YAML, and so to other tools that read it.",
        "Write the version in quotes, or with all three of its numbers.",
    ),
)

_DIGITS = 3
_MOST_OF_A_FAMILY = 10

RULE_CODES: Final = {entry.code: entry for entry in _ALL}
"""All codes, in order."""


def find_rule(code: str) -> RuleCode:
    """The rule of a code, in capitals or not.

    Raises:
        UsageError: no rule has it.
    """
    found = RULE_CODES.get(code.strip().upper())
    if found is not None:
        return found
    near = _codes_near(code.strip().upper())
    hint = f"did you mean {', or '.join(near)}?" if near else "`pv rules` lists them"
    raise UsageError(f"{show(code)} is no code of a rule; {hint}")


def _codes_near(text: str) -> list[str]:
    """The codes that may have been meant: of a number those that begin so, or their family."""
    digits = text.removeprefix("PV")
    if not (digits.isdecimal() and digits.isascii() and len(digits) <= _DIGITS):
        import difflib  # noqa: PLC0415 - 2 ms, for a mistake

        return difflib.get_close_matches(text, RULE_CODES, n=1, cutoff=0.7)
    padded = f"PV{digits:0>{_DIGITS}}"
    near = [padded] if padded in RULE_CODES else []
    beginning = f"PV{digits[: _DIGITS - 1]}"
    family = [known for known in RULE_CODES if known.startswith(beginning)]
    if 0 < len(family) <= _MOST_OF_A_FAMILY:
        near.append(f"one of {family[0]} to {family[-1]}")
    return near
