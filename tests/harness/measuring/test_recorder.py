"""What the recorder sees of a process, tried on real child processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pv_harness.measuring.record import ChildFacts, read_children
from pv_harness.measuring.recorder import child_environment


if TYPE_CHECKING:
    from collections.abc import Callable

HARNESS = Path(__file__).resolve().parents[3] / "harness"
ENTRY = "subject:main"


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., ChildFacts]:
    """Run a script beside a module `subject`, recorded, and return what was seen."""
    (tmp_path / "records").mkdir()

    def run(subject: str, script: str, expect: int = 0) -> ChildFacts:
        (tmp_path / "subject.py").write_text(subject)
        (tmp_path / "script.py").write_text(script)
        recorded = child_environment(tmp_path / "records", [ENTRY], [tmp_path, HARNESS], "node")
        done = subprocess.run(
            [sys.executable, str(tmp_path / "script.py")],
            env={**os.environ, **recorded, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == expect, done.stderr
        facts = read_children(tmp_path / "records", "node")
        own = tuple(Path(m).name for m in facts.modules if Path(m).parent == tmp_path)
        return ChildFacts(facts.reached, own, facts.opened, facts.cuda_peak_bytes)

    return run


MAIN = "def main(x, *, y=2):\n    return x + y\n"


def test_a_call_is_seen_and_its_result_is_what_it_was(run: Callable[..., ChildFacts]) -> None:
    facts = run(MAIN, "import subject\nassert subject.main(1) == 3\n")
    assert facts.reached == (ENTRY,)


def test_an_import_without_a_call_is_not_a_reach(run: Callable[..., ChildFacts]) -> None:
    facts = run(MAIN, "import subject\n")
    assert facts.reached == ()
    assert "subject.py" in facts.modules


def test_a_reference_taken_at_import_is_seen(run: Callable[..., ChildFacts]) -> None:
    subject = MAIN + "TABLE = {'main': main}\n"
    facts = run(subject, "from subject import TABLE\nassert TABLE['main'](1, y=5) == 6\n")
    assert facts.reached == (ENTRY,)


def test_an_exception_passes_through(run: Callable[..., ChildFacts]) -> None:
    subject = "def main():\n    raise KeyError('x')\n"
    script = "import subject\ntry:\n    subject.main()\nexcept KeyError:\n    pass\n"
    assert run(subject, script).reached == (ENTRY,)


def test_recursion_works(run: Callable[..., ChildFacts]) -> None:
    subject = "def main(n):\n    return 1 if n == 0 else n * main(n - 1)\n"
    facts = run(subject, "import subject\nassert subject.main(5) == 120\n")
    assert facts.reached == (ENTRY,)


def test_a_process_started_by_the_process_counts(run: Callable[..., ChildFacts]) -> None:
    script = (
        "import subprocess, sys\n"
        "code = 'import subject; subject.main(1)'\n"
        "subprocess.run([sys.executable, '-c', code], check=True)\n"
    )
    assert run(MAIN, script).reached == (ENTRY,)


def test_a_process_that_is_killed_has_recorded_its_reach(
    run: Callable[..., ChildFacts],
) -> None:
    subject = "import os, signal\ndef main():\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    facts = run(subject, "import subject\nsubject.main()\n", expect=-9)
    assert facts.reached == (ENTRY,)
    assert "subject.py" in facts.modules


def test_a_class_of_the_same_name_is_left_alone(run: Callable[..., ChildFacts]) -> None:
    facts = run("class main:\n    pass\n", "import subject\nsubject.main()\n")
    assert facts.reached == ()


def test_records_of_another_node_are_not_mixed_in(
    run: Callable[..., ChildFacts], tmp_path: Path
) -> None:
    run(MAIN, "import subject\nsubject.main(1)\n")
    assert read_children(tmp_path / "records", "another").reached == ()


CLI = """\
import sys

def main(x=2):
    "What it does."
    print(main.__name__, main.__doc__, x)

if __name__ == "__main__":
    main(*sys.argv[1:])
"""


@pytest.mark.parametrize(
    ("words", "entry"),
    [
        (["-m", "pkg.cli", "7"], "pkg.cli:main"),
        (["-m", "pkg"], "pkg.__main__:main"),
    ],
)
def test_an_entry_point_of_the_module_that_is_run_is_seen(
    tmp_path: Path, words: list[str], entry: str
) -> None:
    (tmp_path / "records").mkdir()
    (tmp_path / "pkg").mkdir()
    for name in ("__init__.py", "cli.py", "__main__.py"):
        (tmp_path / "pkg" / name).write_text(CLI if name != "__init__.py" else "")
    entries = ["pkg.cli:main", "pkg.__main__:main"]
    recorded = child_environment(tmp_path / "records", entries, [tmp_path, HARNESS], "node")
    done = subprocess.run(
        [sys.executable, *words],
        env={**os.environ, **recorded},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.startswith("main What it does. ")
    assert read_children(tmp_path / "records", "node").reached == (entry,)


@pytest.mark.parametrize("root", [None, "here"])
@pytest.mark.parametrize(
    "end",
    [
        "os._exit(0)",
        "os.execv(sys.executable, [sys.executable, '-c', ''])",
        "os.kill(os.getpid(), 9)",
    ],
)
def test_what_was_imported_late_is_known_however_the_process_ends(
    tmp_path: Path, end: str, root: str | None
) -> None:
    (tmp_path / "records").mkdir()
    (tmp_path / "late.py").write_text("")
    recorded = child_environment(
        tmp_path / "records",
        [],
        [tmp_path, HARNESS],
        "node",
        root=tmp_path if root else None,
    )
    code = f"import os, sys\nimport late\n{end}\n"
    subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **recorded}, check=False, timeout=60
    )
    modules = [Path(m).name for m in read_children(tmp_path / "records", "node").modules]
    # Without the audit hook only what runs Python at the end can tell.
    assert ("late.py" in modules) == (root is not None or end == "os._exit(0)")


def test_the_sitecustomize_that_ours_hides_is_run(
    run: Callable[..., ChildFacts], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "sitecustomize.py").write_text("import sys\nsys.hidden_ran = True\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "other"))
    run(MAIN, "import sys\nassert sys.hidden_ran\n")
