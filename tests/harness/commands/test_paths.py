"""A path that no file can have, or of the wrong kind, is a usage error of every option."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pv_harness.cli import main, make_parser
from pv_harness.commands import VERBS
from pv_harness.commands.paths import existing_file, given_path, written_file


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.harness.conftest import Toy

PATH_TYPES = {given_path, written_file, existing_file}
IMPOSSIBLE = {
    "": "'' is empty; the current folder is called .",
    "a\0b": r"'a\x00b' holds a NUL character, which no path can",
    "x" * 300: "is longer than a path, or one name in it, can be",
    "y/" * 3000: "is longer than a path, or one name in it, can be",
    "ring": "'ring' is a link that leads to itself",
    "ring/below": "'ring/below' is a link that leads to itself",
    "file/below": "'file/below' goes on below a file; only folders hold others",
}


@pytest.fixture
def _surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("text\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "ring").symlink_to("ring")
    (tmp_path / "link").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")


def refused(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> str:
    """What a command line that is no command line ends with."""
    with pytest.raises(SystemExit) as ended:
        main(words)
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (2, "")
    last: str = err.splitlines()[-1]
    return last


def arguments_of(parser: argparse.ArgumentParser, way: str) -> Iterator[tuple[str, Any]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, verb in action.choices.items():
                yield from arguments_of(verb, f"{way} {name}".strip())
        else:
            yield way, action


ARGUMENTS = [found for verb in VERBS for found in arguments_of(make_parser([verb]), "")]
OPTIONS = sorted(
    (way, action.option_strings[0])
    for way, action in ARGUMENTS
    if action.type in PATH_TYPES and action.option_strings
)


def test_no_argument_is_taken_for_a_path_unseen() -> None:
    assert [way for way, action in ARGUMENTS if action.type in (Path, os.fspath, open)] == []
    places = {"DIR", "FILE", "KEYFILE"}
    unseen = [
        (way, action.dest)
        for way, action in ARGUMENTS
        if action.metavar in places and action.type not in PATH_TYPES
    ]
    assert unseen == []
    assert len(OPTIONS) > len(VERBS)


@pytest.mark.parametrize(("way", "option"), OPTIONS)
@pytest.mark.usefixtures("_surroundings")
def test_every_option_refuses_what_can_be_no_path(
    capsys: pytest.CaptureFixture[str], way: str, option: str
) -> None:
    for text, what in IMPOSSIBLE.items():
        said = refused((*way.split(), option, text), capsys)
        assert said.startswith(f"pv {way}: error: argument {option}: '")
        assert said.endswith(what)
        assert len(said) < 200


@pytest.mark.parametrize(
    "words",
    [
        ("init",),
        ("migrate",),
        ("release",),
        ("evidence", "merge"),
        ("evidence", "merge", "."),
    ],
)
@pytest.mark.usefixtures("_surroundings")
def test_every_path_without_an_option_is_looked_at_too(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    for text, what in IMPOSSIBLE.items():
        assert refused((*words, text), capsys).endswith(what)


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("evidence", "verify", "--key", "a={}"), IMPOSSIBLE),
        (("evidence", "merge", ".", "--key", "a={}"), IMPOSSIBLE),
        (("scoreboard", "--format", "json={}"), IMPOSSIBLE),
    ],
)
@pytest.mark.usefixtures("_surroundings")
def test_a_path_behind_a_name_is_looked_at_too(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], what: dict[str, str]
) -> None:
    for text in filter(None, what):
        said = refused(tuple(word.format(text) for word in words), capsys)
        assert said.endswith(what[text])


@pytest.mark.parametrize(
    "text", ["file", "folder", "link", "nowhere", "no/where", "/", ".", ".."]
)
@pytest.mark.usefixtures("_surroundings")
def test_a_path_need_not_lead_anywhere(text: str) -> None:
    assert given_path(text) == Path(text)


@pytest.mark.parametrize(
    ("read", "text", "what"),
    [
        (written_file, "folder", "'folder' is a directory; name a file to write"),
        (written_file, "pipe", "'pipe' is a named pipe; name a file to write"),
        (written_file, "/dev/null", "'/dev/null' is a character device; name a file to write"),
        (existing_file, "folder", "'folder' is a directory; name a file"),
        (existing_file, "pipe", "'pipe' is a named pipe; name a file"),
        (existing_file, "nowhere", "'nowhere' is not there; name a file"),
        (existing_file, "link", "'link' is not there; name a file"),
    ],
)
@pytest.mark.usefixtures("_surroundings")
def test_a_file_is_of_the_kind_that_its_option_needs(
    read: Callable[[str], Path], text: str, what: str
) -> None:
    with pytest.raises(argparse.ArgumentTypeError) as refusal:
        read(text)
    assert str(refusal.value) == what


@pytest.mark.usefixtures("_surroundings")
def test_a_file_of_the_right_kind_is_taken() -> None:
    assert existing_file("file") == Path("file")
    assert [written_file(text) for text in ("file", "link", "new")] == [
        Path(text) for text in ("file", "link", "new")
    ]


@pytest.mark.parametrize("take", [given_path, written_file, existing_file])
def test_a_path_in_a_closed_folder_is_refused(
    monkeypatch: pytest.MonkeyPatch, take: Callable[[str], Path]
) -> None:
    # A folder without permissions is open to root.
    def close(path: str) -> os.stat_result:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "stat", close)
    with pytest.raises(argparse.ArgumentTypeError) as refusal:
        take("shut/file")
    assert str(refusal.value) == "'shut/file' can't be looked up: permission denied"


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("list", "--root", "file"), "--root file: is a file; give the folder of a project"),
        (("list", "--root", "nowhere"), "--root nowhere: no such folder"),
        (("evidence", "keygen", "a", "--dir", "file"), "--dir file: no such folder; make it"),
        (("evidence", "keygen", "a", "--dir", "gone"), "--dir gone: no such folder; make it"),
        (("init", "file"), "file: is a file; give the folder of a repository"),
        (("validate", ""), "a PATH is empty; the current folder is called ."),
        (("validate", "x" * 300), f"{'x' * 300}: can't be looked up: file name too long"),
        (("validate", "file/x"), "file/x: can't be looked up: not a directory"),
        (("validate", "nowhere/*"), "nowhere/*: no contract there; give a file, a folder or"),
        (("diff", ""), "a reference is empty; give a revision, a file that `pv scoreboard"),
        (("diff", "x" * 300), "neither a git revision nor a file"),
        (("run", "--changed", ""), "--changed '': that is no revision"),
    ],
)
def test_a_place_of_another_kind_is_a_usage_error(
    toy: Toy, words: tuple[str, ...], what: str
) -> None:
    toy.write("file", "text\n")
    done = toy.pv(*words)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert what in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_no_device_is_replaced_by_a_report(toy: Toy) -> None:
    os.mkfifo(toy.root / "pipe")
    for words in (("--output", "pipe"), ("--format", "json=pipe")):
        done = toy.pv("scoreboard", *words)
        assert done.returncode == 2
        assert "'pipe' is a named pipe; name a file to write" in done.stderr
        assert (toy.root / "pipe").is_fifo()


def test_a_nul_in_a_revision_is_a_usage_error(
    toy: Toy, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(toy.root)
    assert main(["run", "--changed", "a\0b"]) == 2
    assert r"--changed 'a\x00b': that is no revision" in capsys.readouterr().err


def test_a_nul_in_a_path_of_contracts_is_a_usage_error(
    toy: Toy, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(toy.root)
    assert main(["validate", "a\0b"]) == 2
    assert r"a\x00b: not a path: embedded null byte" in capsys.readouterr().err
