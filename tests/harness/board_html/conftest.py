"""A board with every kind of status, histories and curves, made of values alone."""

from __future__ import annotations

import math
import os
import random
import shutil
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from pv_harness.board.html.check_source import CheckSource
from pv_harness.board.html.comparison import Since
from pv_harness.board.scoreboard import Row, Scoreboard
from pv_harness.comparing.change import Change, Difference, Effect, Part
from pv_harness.comparing.comparison import Comparison
from pv_harness.comparing.standing import Course, Move
from pv_harness.comparing.versions import advise
from pv_harness.contracts.bindings import Check
from pv_harness.contracts.contract import (
    Bound,
    Comparator,
    Contract,
    Control,
    Defect,
    Falsifier,
    Level,
    LevelRule,
    Patch,
)
from pv_harness.deriving.derivation import derive_status
from pv_harness.deriving.status import Assessed, AssessedPatch, StatusKind
from pv_harness.evidence.records import PatchOutcome, PatchRecord, RunRecord, Series, Verdict
from pv_harness.fingerprint.manifest import Change as Changed, Entry, EntryKind, Manifest
from pv_harness.judging.measurement import Measurement


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, Page

NOW_S = 1_790_000_000.0
DAY_S = 86_400.0
CODE = '''\
@pytest.mark.falsifies("{id}")
def test_the_first_update_moves_every_weight(measure, tiny, cli):
    """The claim: AdamW starts from zero moments.

    Refuted if a weight moves further than its rate.
    """
    before = tiny.weights()
    done = cli("apr", "pretrain", "--steps", "1")  # one update, nothing more
    moved = max(abs(a - b) for a, b in zip(before, tiny.weights(), strict=True))
    assert done.returncode == 0, f"it ended with {done.returncode}"
    measure("largest_move", moved / 3e-4, unit="rates")
'''
MANIFEST = Manifest(
    (
        Entry(EntryKind.CLAIM, "x", "a" * 64),
        Entry(EntryKind.CHECKS, "x", "b" * 64),
        *(
            Entry(EntryKind.SOURCE, f"trainer/pv_trainer/{name}.py", "c" * 64, "d" * 64)
            for name in ("cli", "init", "loss", "model", "optimizer", "training", "update")
        ),
        Entry(EntryKind.INPUT, "embedded.checkpoint=cache/model.apr", "e" * 64),
    )
)
CHANGED = (
    Changed(EntryKind.SOURCE, "trainer/pv_trainer/training/optimizer.py", "changed"),
    Changed(EntryKind.CLAIM, "x", "changed"),
)
ENVIRONMENT = {"platform": "linux x86_64", "python": "3.11.9", "torch": "2.13.0+cpu"}


VOID = {"meta", "link", "input"}


@dataclass
class Parsed(HTMLParser):
    """A page as a parser of HTML sees it: elements, attributes, text."""

    elements: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    open_tags: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open_tags.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open_tags.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open_tags or self.open_tags[-1] not in {"script", "style"}:
            self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    @property
    def text(self) -> str:
        return "".join(self.texts)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def skeleton(self) -> list[tuple[str, tuple[str, ...]]]:
        """Elements and the names of their attributes: what no text may change."""
        return [(name, tuple(attributes)) for name, attributes in self.elements]


def parse_html(text: str) -> Parsed:
    """The elements and text of a page, or of a part; every element is closed in its order."""
    parsed = Parsed()
    parsed.feed(text)
    parsed.close()
    assert not parsed.open_tags
    return parsed


@dataclass(frozen=True, slots=True)
class Scene:
    """How one falsifier of the sample stands."""

    id: str
    rule: str = "the optimizer starts from zero moments, and its counter from zero"
    values: tuple[float, ...] = (1.01, 1.0, 0.98, 1.02, 1.0)
    verdict: Verdict = Verdict.PASSED
    reason: str = ""
    stale: bool = False
    bound: bool = True
    planted: PatchOutcome | None = PatchOutcome.KILLED
    reached: bool = True
    counted: bool = True
    curves: bool = False
    flaky: bool = False
    waived: bool = False
    requires: str | None = None


SCENES = (
    (
        "apr-pretrain-from-init-v1",
        "apr pretrain --init starts from exactly the checkpoint that was named",
        (
            Scene("FALSIFY-INIT-001", "--init takes a path, and the run starts from that file"),
            Scene(
                "FALSIFY-INIT-002",
                "the first update moves no weight further than its rate",
                values=(1.01, 1.4, 1.0, 0.98, 3.16),
                verdict=Verdict.FAILED,
                reason="largest_move is 3.16, but must be \u2264 1.05\n"
                "E   assert 3.16 <= 1.05\nE    +  where 3.16 = max(moves)",
            ),
            Scene("FALSIFY-INIT-003", planted=PatchOutcome.SURVIVED),
            Scene("FALSIFY-INIT-004", reached=False),
            Scene("FALSIFY-INIT-005", stale=True),
        ),
    ),
    (
        "apr-pretrain-live-v1",
        "a live fine-tune learns, and its losses are measured",
        (
            Scene("FALSIFY-LIVE-001", "the loss falls below the unigram entropy", curves=True),
            Scene(
                "FALSIFY-LIVE-002",
                "one update on CUDA and on the CPU agree within the tolerance of float32",
                verdict=Verdict.BLOCKED,
                reason="needs cuda, which is not here",
                requires="cuda",
                values=(),
            ),
            Scene(
                "FALSIFY-LIVE-003",
                verdict=Verdict.ERROR,
                reason="RuntimeError: the child process ended with signal 11",
                values=(),
            ),
            Scene("FALSIFY-LIVE-004", bound=False, values=()),
            Scene("FALSIFY-LIVE-005", values=()),
            Scene("FALSIFY-LIVE-006", counted=False),
            Scene(
                "FALSIFY-LIVE-007",
                values=(1.0, 1.2),
                verdict=Verdict.FAILED,
                reason="largest_move is 1.2, but must be \u2264 1.05",
                flaky=True,
            ),
            Scene("FALSIFY-LIVE-008", values=(), waived=True),
        ),
    ),
)


def falsifier(scene: Scene) -> Falsifier:
    anchor = "    state.step = 0\n    state.moments = zeros_like(weights)\n"
    planted = anchor.replace("step = 0", "step = 1000")
    file = PurePosixPath("trainer/pv_trainer/training/optimizer.py")
    return Falsifier(
        id=scene.id,
        rule=scene.rule,
        prediction="after one update every weight with a gradient has moved by its rate",
        if_fails="the first steps are three times too long, and nobody sees why",
        covers=("pv_trainer.training.optimizer", "pv_trainer.training.update"),
        bounds=(
            Bound("largest_move", Comparator.LE, 1.05, "rates"),
            Bound("exit_code", Comparator.EQ, 0),
        ),
        levels=(
            LevelRule(Level.PARTIAL),
            LevelRule(Level.INTEGRATION, reached=("pv_trainer.commands.pretrain:pretrain",)),
        ),
        defects=(
            Defect(
                Patch("counter-from-1000", file, anchor, planted, "3.2 times"), "largest_move"
            ),
        ),
        controls=(Control(Patch("reordered", file, anchor, "".join(anchor), None)),),
        requires=scene.requires,
        counted=scene.counted,
    )


def curves() -> tuple[Series, ...]:
    chance = random.Random(0)
    steps = tuple(float(i) for i in range(0, 2000, 2))
    train = tuple(2.2 + 3.4 * math.exp(-s / 300) + chance.gauss(0, 0.06) for s in steps)
    checks = steps[::50]
    held_out = tuple(2.4 + 3.2 * math.exp(-s / 320) for s in checks)
    return (
        Series("train loss", steps, train, "step", "nats", "t"),
        Series("validation loss", checks, held_out, "step", "nats", "t"),
    )


def runs(scene: Scene) -> list[Assessed]:
    found = []
    count = max(len(scene.values), scene.verdict is not Verdict.PASSED)
    for i in range(count):
        last = i == count - 1
        value = scene.values[i] if i < len(scene.values) else None
        measured = (
            ()
            if value is None
            else (
                Measurement("largest_move", value, "rates", 4864),
                Measurement("exit_code", 0),
            )
        )
        record = RunRecord(
            falsifier_id=scene.id,
            verdict=scene.verdict if last else Verdict.PASSED,
            manifest=MANIFEST,
            measurements=measured,
            series=curves() if scene.curves and last else (),
            broken=("largest_move",) if last and scene.verdict is Verdict.FAILED else (),
            reason=scene.reason if last else "",
            checks=(f"checks/test_it.py::{scene.id}",),
            reached=("pv_trainer.commands.pretrain:pretrain",) if scene.reached else (),
            opened=("data/tiny.txt",) if scene.curves else (),
            duration_s=3.21,
            finished_s=NOW_S - (count - i - 1) * 2 * DAY_S - 5000,
            environment=ENVIRONMENT,
            statement=f"{i:064x}",
        )
        fresh = last or scene.flaky
        found.append(Assessed(record, () if fresh and not scene.stale else CHANGED))
    return found


def answers(scene: Scene, claim: Falsifier) -> list[AssessedPatch]:
    if scene.planted is None or not scene.values:
        return []
    return [
        AssessedPatch(
            PatchRecord(
                scene.id,
                plant.id,
                plant.digest,
                scene.planted if isinstance(plant, Defect) else PatchOutcome.GREEN,
                MANIFEST,
                reason="largest_move is 3.16, but must be \u2264 1.05"
                if isinstance(plant, Defect)
                else "",
                finished_s=NOW_S - 4000,
            ),
            CHANGED if scene.stale else (),
        )
        for plant in claim.plants
    ]


def check_of(scene: Scene) -> Check:
    node = f"checks/test_it.py::{scene.id}"
    return Check(scene.id, "checks/test_it.py", 13, "test_it", node)


def row(contract: Contract, scene: Scene) -> Row:
    claim = falsifier(scene)
    own_runs, own_answers = runs(scene), answers(scene, claim)
    status = derive_status(claim, bound=scene.bound, runs=own_runs, patches=own_answers)
    if scene.waived:
        why = "W-12, the trainer's team: NOT_RUN: never measured"
        status = replace(status, kind=StatusKind.WAIVED, detail="until 2026-12-01", why=why)
    checks = (check_of(scene),) if scene.bound else ()
    return Row(contract, claim, status, tuple(own_runs), tuple(own_answers), checks)


def sample_board(copies: int = 1) -> Scoreboard:
    """The scenes, several times over under other IDs if asked."""
    rows: list[Row] = []
    for copy in range(copies):
        for name, title, scenes in SCENES:
            suffix = f"-{copy}" if copy else ""
            claims = tuple(falsifier(s) for s in scenes)
            contract = Contract(
                f"{name}{suffix}",
                "1.0.0",
                title,
                PurePosixPath(f"contracts/{name}.yaml"),
                claims,
                references=("Loshchilov and Hutter, Decoupled Weight Decay, 2019",),
                equations={
                    "first_update": {
                        "formula": "|w1 - w0| = rate(1) for every weight with a gradient",
                        "invariants": ["moments are 0", "the counter is 0"],
                    }
                },
            )
            for scene in scenes:
                head, _, number = scene.id.rpartition("-")
                other = f"{head}-C{copy}-{number}" if copy else scene.id
                rows.append(row(contract, replace(scene, id=other)))
    return Scoreboard(tuple(rows))


def sample_sources(board: Scoreboard) -> dict[str, CheckSource]:
    return {
        check.node_id: CheckSource(
            check.node_id, check.path, 12, CODE.replace("{id}", r.falsifier.id).rstrip("\n")
        )
        for r in board.rows
        for check in r.checks
    }


@pytest.fixture(scope="session")
def since() -> Since:
    """Two differences: one status that fell, one bound that was loosened."""
    loosened = Difference(
        Part.BOUND, Effect.LOOSENED, "\u2264 1.02", "\u2264 1.05", "largest_move"
    )
    change = Change("apr-pretrain-from-init-v1", "FALSIFY-INIT-001", loosened)
    fallen = Move(
        "apr-pretrain-from-init-v1",
        "FALSIFY-INIT-002",
        Course.NEWLY_FAILED,
        "INTEGRATION/INTEGRATION",
        "FAILED(largest_move)",
        "largest_move is 3.16, but must be \u2264 1.05",
    )
    advice = advise("apr-pretrain-from-init-v1", "1.0.0", "1.0.0", (change,))
    return Since("v1.0.0", Comparison((fallen,), (change,), (advice,), (12, 13)))


@pytest.fixture(scope="session")
def board() -> Scoreboard:
    """Every kind of status."""
    return sample_board()


@pytest.fixture(scope="session")
def sources(board: Scoreboard) -> dict[str, CheckSource]:
    """The code of the sample's checks."""
    return sample_sources(board)


@pytest.fixture(scope="session")
def parse() -> Callable[[str], Parsed]:
    """Reads HTML back."""
    return parse_html


@pytest.fixture(scope="session")
def hostile() -> Callable[[str], tuple[Scoreboard, dict[str, CheckSource]]]:
    """A board of two falsifiers in which every text is the one given."""
    return hostile_board


def hostile_board(text: str) -> tuple[Scoreboard, dict[str, CheckSource]]:
    board = sample_board()
    rows = [
        spoil(next(r for r in board.rows if r.falsifier.id == name), text) for name in CHOSEN
    ]
    node = rows[0].checks[0].node_id
    return Scoreboard(tuple(rows)), {node: CheckSource(node, text, 1, text)}


CHOSEN = ("FALSIFY-INIT-002", "FALSIFY-LIVE-001")


def spoil(row: Row, text: str) -> Row:
    """The row with `text` in place of every word of a contract, a record or a log."""
    claim = row.falsifier
    patches = [
        replace(d.patch, id=text, find=text, replace=text, note=text) for d in claim.plants
    ]
    spoiled = replace(
        claim,
        id=text + claim.id,
        rule=text,
        prediction=text,
        if_fails=text,
        covers=(text,),
        requires=text,
        inputs=(text,),
        bounds=(Bound(text, Comparator.LE, 1.05, text), Bound(text + "2", Comparator.EQ, text)),
        levels=(
            LevelRule(Level.PARTIAL),
            LevelRule(Level.INTEGRATION, (text,), "cpu", (text,)),
        ),
        defects=(Defect(patches[0], text),),
        controls=(Control(patches[1]),),
    )
    changes = (Changed(EntryKind.SOURCE, text, text),)
    own_runs = [
        replace(assessed, record=spoil_record(assessed.record, text), changes=changes)
        for assessed in row.runs
    ]
    own_answers = [
        AssessedPatch(
            PatchRecord(
                spoiled.id, text, plant.digest, PatchOutcome.SURVIVED, MANIFEST, reason=text
            )
        )
        for plant in spoiled.plants
    ]
    own_runs[-1] = replace(own_runs[-1], changes=())
    status = derive_status(spoiled, bound=True, runs=own_runs, patches=own_answers)
    contract = replace(
        row.contract,
        id=text,
        version=text,
        title=text,
        references=(text,),
        depends_on=(text,),
        equations={text: {text: text, "invariants": [text]}},
    )
    check = Check(spoiled.id, text, 13, text, f"{text}::{text}")
    return Row(contract, spoiled, status, tuple(own_runs), tuple(own_answers), (check,))


def spoil_record(record: RunRecord, text: str) -> RunRecord:
    measured = [replace(m, metric=text, unit=text, node=text) for m in record.measurements[:1]]
    return replace(
        record,
        measurements=(*measured, Measurement(text + "2", text, text)),
        series=tuple(replace(s, name=text, x_unit=text, unit=text) for s in record.series),
        reason=f"{text}\n{text}",
        opened=(text,),
        environment={text: text},
        statement=text,
        manifest=Manifest(
            (Entry(EntryKind.SOURCE, text, "a"), Entry(EntryKind.INPUT, text, "b"))
        ),
    )


# The browser's own errands would be requests too, and it runs as root in containers.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
NO_BROWSER = (
    "no Chromium: install it with the system's packages, or with `playwright install chromium`"
)


def give_up(why: str, detail: str = "") -> NoReturn:
    """Skip; in CI, where the browser belongs to the machine, fail."""
    if os.environ.get("CI"):
        pytest.fail(f"{why}\n{detail}")
    pytest.skip(why)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium; without one the tests skip, save in CI, where that is a failure."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        give_up("no playwright: pip install --group test")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        try:
            started = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        except Error as error:
            give_up(NO_BROWSER, str(error))
        yield started
        started.close()


@dataclass
class Visit:
    """One page in one window without a network, and all that it did besides being read."""

    page: Page
    url: str
    requests: list[str] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)

    def shown(self) -> list[str]:
        """The IDs of the rows that can be seen."""
        return [
            text.split()[0]
            for text in self.page.locator("details.row:not([hidden]) h3").all_text_contents()
        ]

    def opened(self) -> list[str]:
        """The IDs of the rows that are open."""
        return [
            str(body.get_attribute("id"))
            for body in self.page.locator("details.row[open] > .body").all()
        ]

    def address(self) -> str:
        return str(self.page.evaluate("location.hash"))

    def chip(self, name: str) -> Any:
        return self.page.get_by_role("checkbox", name=name)

    def row(self, identity: str) -> Any:
        return self.page.locator(f"details.row:has(> #{identity}) > summary")


@pytest.fixture
def visit(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Visit]]:
    """Opens a page; whatever happens, it made no request and no error."""
    contexts: list[BrowserContext] = []
    visits: list[Visit] = []

    def start(html: str, *, link: str = "", **options: Any) -> Visit:
        file = tmp_path / "index.html"
        file.write_text(html, encoding="utf-8")
        context = browser.new_context(offline=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(5000)
        visited = Visit(page, file.as_uri())
        page.on("request", lambda request: visited.requests.append(request.url))
        page.on("console", lambda message: visited.trouble.append(message.text))
        page.on("pageerror", lambda error: visited.trouble.append(str(error)))
        page.on("dialog", lambda dialog: visited.trouble.append(f"dialog {dialog.message}"))
        page.goto(visited.url + link)
        visits.append(visited)
        return visited

    yield start
    for context in contexts:
        context.close()
    for visited in visits:
        assert visited.trouble == []
        loaded = {url.partition("#")[0] for url in visited.requests if url[:5] != "data:"}
        assert loaded == {visited.url}
