"""Files that were made to hurt: each has its own clear problem, in bounded time and memory."""

from __future__ import annotations

import os
import re
import resource
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from tests.harness.conftest import CONTRACT, ROOT, Toy, make_toy


if TYPE_CHECKING:
    from collections.abc import Callable

HEAD: Final = b"apiVersion: pv/v1\nid: x\n"
MEMORY_BYTES: Final = 512 << 20
_SMALL_BYTES: Final = 100 << 10
TIMEOUT_S: Final = 60
"""Of the wall, on a busy machine. None of the files takes three seconds of a free core."""


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    """A sound project; the hostile file lies beside it, in a folder of its own."""
    return make_toy(tmp_path_factory.mktemp("hostile") / "toy")


def bounded() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (TIMEOUT_S, TIMEOUT_S))


def validate(
    toy: Toy, *args: str, stdin: bytes | None = None, before: str = ""
) -> subprocess.CompletedProcess[str]:
    """`pv validate` within bounds; `before` is a program that runs in the same process."""
    program = f"{before}\nimport sys\nfrom pv_harness.cli import main\nsys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", program, "validate", *args],
        cwd=toy.root,
        env={**os.environ, "PYTHONPATH": str(ROOT / "harness"), "OMP_NUM_THREADS": "1"},
        input=b"" if stdin is None else stdin,
        capture_output=True,
        check=False,
        timeout=TIMEOUT_S,
        preexec_fn=bounded,
    )
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )


def problems_of(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The lines of a validation that ended as one with problems should, but for the counts."""
    assert (done.returncode, done.stderr) == (2, "")
    *problems, counts = done.stdout.split("\n")[:-1]
    assert counts.startswith("1 file: ")
    assert 1 <= len(problems) <= 1_001
    assert all(problem.isprintable() for problem in problems)
    return problems


def deep(opening: str, closing: str = "") -> bytes:
    return HEAD + b"x: " + (opening * 10_000 + closing * 10_000).encode()


def bomb() -> bytes:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 40)]
    return HEAD + "\n".join(levels).encode()


def merge_bomb() -> bytes:
    levels = ["a0: &a0 {k: v}"]
    levels += [f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}" for n in range(1, 40)]
    return HEAD + "\n".join(levels).encode()


def colliding() -> bytes:
    # Multiples of 2**61 - 1 have one hash as Python integers.
    keys = (str(n * (2**61 - 1)) for n in range(1, 36_000))
    return HEAD + b"".join(b"%s: 1\n" % key.encode() for key in keys)


@dataclass(frozen=True)
class Case:
    """A file, and a part of one of the problems that it has."""

    name: str
    make: Callable[[], bytes]
    problem: str


TOO_LARGE = "1:1: PV002 the file is larger than 1,048,576 bytes, the most that is read"
TOO_FULL = "PV002 more than 50,000 values"
TOO_MANY = "PV002 more than 1,000 problems in this file; the rest is not listed"
CASES = [
    Case("alias-bomb", bomb, "7:35: PV002 with the alias 'a3' written out, more than 50,000"),
    Case("merge-key-bomb", merge_bomb, "PV002 with the alias 'a12' written out, more than"),
    Case(
        "recursive-alias",
        lambda: HEAD + b"x: &a [*a]\n",
        "3:8: PV002 the alias 'a' stands for a value that it is part of",
    ),
    Case("deep-lists", lambda: deep("[", "]"), "3:67: PV002 more than 64 levels of nesting"),
    Case("deep-mappings", lambda: deep("{a: "), "3:256: PV002 more than 64 levels of nesting"),
    Case("deep-blocks", lambda: HEAD + b"- " * 10_000, "3:1: PV004 not YAML: "),
    Case("deep-keys", lambda: deep("? "), "3:4: PV004 not YAML: "),
    Case("a-line-of-50-MB", lambda: HEAD + b"x: " + b"a" * (50 << 20), TOO_LARGE),
    Case("a-line-of-1-MB", lambda: HEAD + b"x: " + b"a" * 1_000_000, "3:1: PV011 x is an"),
    Case("a-key-of-1-MB", lambda: HEAD + b"a" * 1_000_000 + b": 1", "3:1000001: PV004 not"),
    Case(
        "a-million-keys",
        lambda: HEAD + b"".join(b"k%d: 1\n" % n for n in range(1_000_000)),
        TOO_LARGE,
    ),
    Case(
        "a-mebibyte-of-keys",
        lambda: HEAD + b"".join(b"k%d: 1\n" % n for n in range(90_000)),
        TOO_FULL,
    ),
    Case(
        "a-mebibyte-of-one-key",
        lambda: HEAD + b"a: 1\n" * 200_000,
        TOO_FULL,
    ),
    Case("one-key-many-times", lambda: HEAD + b"a: 1\n" * 45_000, TOO_MANY),
    Case(
        "a-mebibyte-of-anchors",
        lambda: HEAD + b"x: [" + b"&a 1," * 170_000 + b"]",
        TOO_FULL,
    ),
    Case(
        "a-mebibyte-of-falsifiers",
        lambda: HEAD + b"falsifiers: [" + b"{}," * 300_000 + b"]",
        TOO_FULL,
    ),
    Case(
        "many-falsifiers",
        lambda: HEAD + b"falsifiers: [" + b"{}," * 45_000 + b"]",
        TOO_MANY,
    ),
    Case(
        "one-falsifier-many-times",
        lambda: HEAD + b"falsifiers: [" + b"{id: A-001}," * 24_000 + b"]",
        TOO_MANY,
    ),
    Case(
        "many-references",
        lambda: (
            HEAD
            + b"metadata: {title: a, depends_on: ["
            + b"".join(b"a%d," % n for n in range(45_000))
            + b"]}"
        ),
        TOO_MANY,
    ),
    Case("colliding-integers", colliding, TOO_MANY),
    Case("nul", lambda: HEAD + b"x: a\0b", "3:5: PV003 the character U+0000 is not allowed"),
    Case("nothing-but-nul", lambda: b"\0" * 1000, "1:1: PV003 the character U+0000"),
    Case("not-utf-8", lambda: HEAD + b"x: \xff", "3:4: PV003 byte 0xff is not UTF-8"),
    Case("cut-off-utf-8", lambda: HEAD + b"x: \xe2\x82", "3:4: PV003 byte 0xe2 is not UTF-8"),
    Case("surrogate", lambda: HEAD + b"x: \xed\xa0\x80", "3:4: PV003 byte 0xed is not"),
    Case("bom", lambda: b"\xef\xbb\xbf" + HEAD, "1:1: PV003 the file begins with a byte order"),
    Case("utf-16", lambda: HEAD.decode().encode("utf-16"), "1:1: PV003 the file is UTF-16"),
    Case(
        "utf-16-without-bom",
        lambda: HEAD.decode().encode("utf-16-be"),
        "1:1: PV003 the character U+0000",
    ),
    Case("utf-32", lambda: HEAD.decode().encode("utf-32"), "1:1: PV003 the file is UTF-16"),
    Case(
        "tabs", lambda: HEAD + b"x:\n\t- 1\n", "4:1: PV004 not YAML: a tab; indent with spaces"
    ),
    Case(
        "merge-key",
        lambda: HEAD + b"metadata:\n  <<: {title: a}\n",
        "4:3: PV006 the merge key <<; write the entries out",
    ),
    Case(
        "duplicate-key",
        lambda: HEAD + b"metadata: {title: a}\nmetadata: {title: b}\n",
        "4:1: PV005 the key 'metadata' is given twice; first at line 3",
    ),
    Case(
        "python-tag",
        lambda: HEAD + b"x: !!python/object/apply:os.system [touch pwned]\n",
        "3:4: PV006 the tag 'tag:yaml.org,2002:python/object/apply:os.system'",
    ),
    Case(
        "long-integer",
        lambda: HEAD + b"x: " + b"9" * 500_000,
        "3:4: PV002 a number of 500000 characters; the most is 64",
    ),
    Case(
        "long-float",
        lambda: HEAD + b"x: 1e" + b"9" * 500_000,
        "3:4: PV002 a number of 500002 characters; the most is 64",
    ),
    Case(
        "long-names",
        lambda: (
            HEAD
            + b"version: 1.0.0\nmetadata: {title: t}\nfalsifiers:\n- id: "
            + b"A" * 300_000
            + b"-001\n  covers: ["
            + b"a" * 300_000
            + b"]\n"
        ),
        "it should be at most 200 characters",
    ),
    Case(
        "names-longer-than-a-file-may-have",
        lambda: CONTRACT.replace("src/toy/math.py", "a" * 5_000).encode(),
        "can't be read: file name too long",
    ),
    Case("empty", lambda: b"", "1:1: PV008 the file is empty; it should be a mapping"),
    Case("many-documents", lambda: HEAD + b"---\n" * 200_000, "3:1: PV007 a second document"),
    Case("escapes", lambda: HEAD + b'"\\e[2J": 1\n', "3:1: PV011 '\\x1b[2J' is an unknown key"),
    Case("raw-escapes", lambda: HEAD + b"x: \x1b[2J\n", "3:4: PV003 the character U+001B"),
    Case(
        "right-to-left", lambda: HEAD + b"x: \xe2\x80\xae\n", "3:1: PV011 x is an unknown key"
    ),
    Case("a-lone-return", lambda: HEAD + b"x: 1\ry: 2", "4:1: PV011 y is an unknown key"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_hostile_file_has_a_clear_problem(toy: Toy, tmp_path: Path, case: Case) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes(case.make())
    problems = problems_of(validate(toy, str(file)))
    assert [p for p in problems if p.startswith(f"{file}:") and case.problem in p], problems[:5]
    assert not (toy.root / "pwned").exists()


FOREIGN = [
    Case(
        "a-long-path-of-a-test",
        lambda: (
            b"falsification_tests:\n- {id: A-1, test: 'pytest "
            + b"a/" * 400_000
            + b"x.py::t'}\n"
        ),
        "PV090",
    ),
    Case(
        "a-long-name-of-a-contract",
        lambda: (
            b"metadata: {depends_on: [a/" + b"b" * 500_000 + b"]}\nfalsification_tests: []\n"
        ),
        "PV083",
    ),
    Case(
        "many-foreign-falsifiers",
        lambda: b"falsification_tests: [" + b"{id: A-1}," * 24_000 + b"]",
        "PV084",
    ),
    Case(
        "many-foreign-references",
        lambda: (
            b"metadata: {depends_on: ["
            + b"".join(b"a%d," % n for n in range(45_000))
            + b"]}\nfalsification_tests: []\n"
        ),
        "PV083",
    ),
    Case(
        "many-foreign-keys",
        lambda: b"falsification_tests: []\n" + b"".join(b"k%d: 1\n" % n for n in range(45_000)),
        "PV091",
    ),
]


@pytest.mark.parametrize("case", FOREIGN, ids=lambda case: case.name)
def test_a_hostile_foreign_file_is_judged_in_time(toy: Toy, tmp_path: Path, case: Case) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes(case.make())
    done = validate(toy, str(file))
    assert (done.returncode, done.stderr) == (0, "")  # its findings are warnings
    problems = [line for line in done.stdout.split("\n") if line.startswith(f"{file}:")]
    assert any(f" {case.problem} warning: " in problem for problem in problems)
    assert all(problem.isprintable() and len(problem) < 1_000 for problem in problems)
    assert len(problems) <= 1_001


BEYOND_LIMITS = [
    Case("alias-bomb", bomb, "written out, more than 50,000 values"),
    Case("merge-key-bomb", merge_bomb, "written out, more than 50,000 values"),
    Case("recursive-alias", lambda: HEAD + b"x: &a [*a]\n", "a value that it is part of"),
    Case("deep-lists", lambda: deep("[", "]"), "more than 64 levels of nesting"),
    Case("many-values", lambda: HEAD + b"x: [" + b"a," * 60_000 + b"]\n", TOO_FULL),
    Case("too-large", lambda: HEAD + b"x: " + b"a" * (1 << 20), TOO_LARGE),
    Case("long-integer", lambda: HEAD + b"x: " + b"9" * 100, "a number of 100 characters"),
]


@pytest.mark.parametrize("case", BEYOND_LIMITS, ids=lambda case: case.name)
def test_a_foreign_file_beyond_a_limit_is_an_error(
    toy: Toy, tmp_path: Path, case: Case
) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes(case.make().replace(HEAD, b"version: 1.0.0\nfalsification_tests: []\n"))
    problems = problems_of(validate(toy, str(file)))
    (told,) = [problem for problem in problems if case.problem in problem]
    assert " PV002 " in told
    assert "warning: " not in told


@pytest.mark.parametrize("more", [b"x: &a [1]\ny: *a\n", b"x: 1\nx: 2\n", b"x: !!set {}\n"])
def test_what_other_loaders_accept_is_a_warning_in_a_foreign_file(
    toy: Toy, tmp_path: Path, more: bytes
) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes(b"version: 1.0.0\nfalsification_tests: []\n" + more)
    done = validate(toy, str(file))
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search("PV00[56] warning: ", done.stdout)


@pytest.mark.parametrize(
    "make",
    [
        lambda: HEAD + b"".join(b"k%d: 1\n" % n for n in range(90_000)),
        lambda: HEAD + b"".join(b"k%d: 1\n" % n for n in range(45_000)),
        lambda: b"version: 1.0.0\n" + bomb(),
        lambda: b"".join(b"k%d: 1\n" % n for n in range(45_000)),
    ],
    ids=["beyond-the-limit", "within-the-limit", "foreign-bomb", "no-contract"],
)
def test_many_hostile_files_take_no_more_memory_than_one(
    toy: Toy, tmp_path: Path, make: Callable[[], bytes]
) -> None:
    data = make()
    for number in range(12):
        (tmp_path / f"x{number}.yaml").write_bytes(data)
    before = "import resource; resource.setrlimit(resource.RLIMIT_AS, (320 << 20, 320 << 20))"
    done = validate(toy, "--jobs", "1", str(tmp_path), before=before)
    assert (done.returncode, done.stderr) == (2, "")
    for number in range(12):
        assert f"{tmp_path}/x{number}.yaml:" in done.stdout


def special(toy: Toy, file: Path) -> str:
    """What is said of a file that is not read; it is found in its folder too, and told once."""
    (named,) = problems_of(validate(toy, str(file), str(file.parent)))
    prefix = f"{file}:1:1: PV001 "
    assert named.startswith(prefix)
    return named.removeprefix(prefix)


def test_a_pipe_is_not_waited_for(toy: Toy, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.yaml")
    what = "the file can't be read: is a named pipe, it should be a regular file"
    assert special(toy, tmp_path / "x.yaml") == what


def test_a_socket_is_not_read(toy: Toy, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        (tmp_path / "x.yaml").symlink_to("socket")
        descriptor = os.open(tmp_path, os.O_RDONLY)
        try:  # by descriptor: the path of a socket has 107 characters at most
            server.bind(f"/proc/self/fd/{descriptor}/socket")
        finally:
            os.close(descriptor)
        assert special(toy, tmp_path / "x.yaml").startswith(
            "the file can't be read: no such de"
        )


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("/dev/zero", "is a character device, it should be a regular file"),
        ("x.yaml", "is a link to 'x.yaml', which leads in a circle"),
        ("gone.yaml", "is a link to 'gone.yaml', which leads nowhere"),
        ("\x1b[2J.yaml", "is a link to '\\x1b[2J.yaml', which leads nowhere"),
        # A regular file that not even root can read: nothing is mapped at its beginning.
        ("/proc/self/mem", "input/output error"),
    ],
)
def test_a_link_to_what_is_no_file(toy: Toy, tmp_path: Path, target: str, why: str) -> None:
    (tmp_path / "x.yaml").symlink_to(target)
    assert special(toy, tmp_path / "x.yaml") == f"the file can't be read: {why}"


def test_links_in_a_circle_through_folders(toy: Toy, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").symlink_to(tmp_path)
    (tmp_path / "a" / "x.yaml").write_text("")
    (problem,) = problems_of(validate(toy, str(tmp_path)))
    assert problem.startswith(f"{tmp_path}/a/x.yaml:1:1: PV008")


def test_a_folder_that_is_called_like_a_contract(toy: Toy, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").mkdir()
    (problem,) = problems_of(validate(toy, str(tmp_path)))
    what = "the file can't be read: is a directory, it should be a regular file"
    assert problem == f"{tmp_path}/x.yaml:1:1: PV001 {what}"


def test_a_folder_that_is_named_and_holds_nothing(toy: Toy, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").mkdir()
    done = validate(toy, str(tmp_path / "x.yaml"))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"pv: {tmp_path}/x.yaml: no contract there; give a file, a folder or a glob\n"
    )


def test_a_file_that_is_not_permitted(toy: Toy, tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes(HEAD)
    file.chmod(0)
    # Root reads everything, so that it becomes nobody where the file is opened.
    as_nobody = """
import os, pv_harness.regular_file as module
read = module.os.open
def open_as_nobody(path, *args):
    if os.getuid() == 0 and str(path).endswith("x.yaml"):
        os.seteuid(65534)
        try:
            return read(path, *args)
        finally:
            os.seteuid(0)
    return read(path, *args)
os.open = open_as_nobody
"""
    temporary = Path(tempfile.gettempdir())
    for folder in (tmp_path, *tmp_path.parents):
        if os.getuid() == 0 and folder.is_relative_to(temporary) and folder != temporary:
            folder.chmod(0o755)
    (problem,) = problems_of(validate(toy, str(file), before=as_nobody))
    assert problem == f"{file}:1:1: PV001 the file can't be read: permission denied"


def test_a_folder_that_can_not_be_listed(toy: Toy, tmp_path: Path) -> None:
    refuse = """
import errno, os
scan = os.scandir
def refuse(path):
    if str(path).endswith("closed"):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))
    return scan(path)
os.scandir = refuse
"""
    (tmp_path / "closed").mkdir()
    done = validate(toy, str(tmp_path), before=refuse)
    assert (done.returncode, done.stdout) == (2, "")
    what = "the folder can't be listed: permission denied"
    assert done.stderr == f"pv: {tmp_path}/closed: {what}\n"


# The strict reader alone, which comes second: the fast one finds nothing plain in the file.
BETWEEN = """
import os
from pv_harness.validating import plain_files
plain_files.load_plain = lambda data: None
read, seen = os.read, []
def meddle(descriptor, count):
    block = read(descriptor, count)
    if block.startswith(b"apiVersion: pv/v1\\nid: x\\n") and len(seen) < 2:
        seen.append(1)
        if len(seen) == 2:
            {deed}
    return block
os.read = meddle
"""


@pytest.mark.parametrize(
    "deed",
    [
        "open(FILE, 'ab').write(b'#' * 100)",
        "os.truncate(FILE, 3)",
        "open(FILE, 'r+b').write(b'#' * 5); os.utime(FILE, ns=(1, 1))",
    ],
    ids=["grows", "shrinks", "is-overwritten"],
)
def test_a_file_that_changes_while_it_is_read(toy: Toy, tmp_path: Path, deed: str) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes(HEAD)
    before = BETWEEN.format(deed=deed).replace("FILE", repr(str(file)))
    (problem,) = problems_of(validate(toy, str(file), before=before))
    what = "the file can't be read: changed while it was read; try again"
    assert problem == f"{file}:1:1: PV001 {what}"


def test_a_file_that_vanishes_before_it_is_opened(toy: Toy, tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes(HEAD)
    vanish = f"""
import os
real = os.open
def vanish(path, *args, **options):
    if str(path) == {str(file)!r}:
        os.unlink(path)
    return real(path, *args, **options)
os.open = vanish
"""
    (problem,) = problems_of(validate(toy, str(file), before=vanish))
    what = "the file can't be read: no such file or directory"
    assert problem == f"{file}:1:1: PV001 {what}"


def test_a_file_that_vanishes_while_it_is_read_was_whole(toy: Toy, tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes(HEAD)
    before = BETWEEN.format(deed=f"os.unlink({str(file)!r})")
    problems = problems_of(validate(toy, str(file), before=before))
    assert problems[0] == f"{file}:1:1: PV012 falsifiers is missing"
    assert not file.exists()


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "1:1: PV008 the file is empty; it should be a mapping"),
        (b"\0" * 3_000_000, TOO_LARGE),
        (
            HEAD + b"x: &a [*a]",
            "3:8: PV002 the alias 'a' stands for a value that it is part of",
        ),
        (b"\xff\xfea", "1:1: PV003 the file is UTF-16; save it as plain UTF-8"),
    ],
)
def test_standard_input_is_as_bounded_as_a_file(toy: Toy, data: bytes, problem: str) -> None:
    problems = problems_of(validate(toy, "-", stdin=data))
    assert f"<stdin>:{problem}" in problems


def test_standard_input_without_an_end_is_left_behind(toy: Toy) -> None:
    redirect = "import os; os.dup2(os.open('/dev/zero', os.O_RDONLY), 0)"
    (problem,) = problems_of(validate(toy, "-", before=redirect))
    assert problem == f"<stdin>:{TOO_LARGE}"


def test_crlf_moves_no_line(toy: Toy, tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes((HEAD + b"# a\nversion: 1\n").replace(b"\n", b"\r\n"))
    problems = problems_of(validate(toy, str(file)))
    assert any(p.startswith(f"{file}:4:10: PV010 version is 1;") for p in problems)


def test_a_sound_contract_in_crlf_is_sound(toy: Toy, tmp_path: Path) -> None:
    data = (toy.root / "contracts/toy-v1.yaml").read_bytes()
    file = tmp_path / "toy-v1.yaml"
    file.write_bytes(data.replace(b"\n", b"\r\n"))
    copy = make_toy(tmp_path / "copy")
    (copy.root / "contracts/toy-v1.yaml").unlink()
    done = validate(copy, str(file))
    assert (done.returncode, done.stderr) == (0, "")


def test_hostile_files_in_one_folder_are_told_alike_without_the_fast_readers(
    toy: Toy, tmp_path: Path
) -> None:
    # All at once are held in memory until the last is read: not those of a mebibyte.
    cases = {case: data for case in CASES if len(data := case.make()) < _SMALL_BYTES}
    for case, data in cases.items():
        (tmp_path / f"{case.name}.yaml").write_bytes(data)
    fast = validate(toy, str(tmp_path))
    strict = validate(toy, str(tmp_path), before="import os; os.environ['PV_FAST'] = '0'")
    assert fast.returncode == strict.returncode == 2
    assert (strict.stdout, strict.stderr) == (fast.stdout, "")
    assert len(cases) > len(CASES) // 2
    for case in cases:
        problems = [p for p in fast.stdout.split("\n") if f"/{case.name}.yaml:" in p]
        assert [p for p in problems if case.problem in p], problems[:5]
