from __future__ import annotations

import json
import os
import socket
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from pv_trainer.data import documents as documents_module
from pv_trainer.data.documents import list_files, read_documents, total_size
from pv_trainer.errors import DataInvalid


if TYPE_CHECKING:
    from pathlib import Path


def test_files_folders_and_lines_become_documents(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    (folder / "b.txt").write_text("b")
    (folder / "deep" / "a.txt").write_text("a")
    lines = tmp_path / "lines.jsonl"
    lines.write_text('{"text": "one", "other": 1}\n\n{"text": "two"}\n')
    found = [document.text for document in read_documents([lines, folder])]
    assert found == ["one", "two", "b", "a"]


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("x.txt", b"ok \xff", "byte 3 is not UTF-8"),
        (
            "x.jsonl",
            b'{"text": "a"}\n{"txt": 1}',
            'line 2 is not {"text": "..."}; name the member that is the text with --text-field',
        ),
        ("x.jsonl", b'{"text": 5}', "line 1: text is not a string"),
        ("x.jsonl", b'"text"', "line 1 is not"),
        ("x.jsonl", rb'{"text": "\ud800"}', "line 1 is not"),
        ("x.jsonl", b"[" * 100_000, "line 1 is not"),
    ],
)
def test_a_file_that_is_not_text_is_an_error(
    tmp_path: Path, name: str, content: bytes, problem: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataInvalid) as caught:
        list(read_documents([tmp_path]))
    assert problem in str(caught.value)
    assert name in str(caught.value)


def test_a_line_ends_where_json_lines_end_it(tmp_path: Path) -> None:
    texts = ["one\u2028two\x85three", "four"]
    lines = (json.dumps({"text": text}, ensure_ascii=False) for text in texts)
    (tmp_path / "x.jsonl").write_text("\r\n".join(lines), encoding="utf-8", newline="")
    assert [document.text for document in read_documents([tmp_path / "x.jsonl"])] == texts


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataInvalid, match=r"none.txt: No such file"):
        list(read_documents([tmp_path / "none.txt"]))


def test_the_member_that_is_the_text_can_be_named(tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    file.write_text('{"text": "no", "body": "yes"}\n')
    assert [d.text for d in read_documents([file], text_field="body")] == ["yes"]
    with pytest.raises(DataInvalid, match=r'line 1 is not {"title": "..."}; name the member'):
        list(read_documents([file], text_field="title"))


def test_lines_are_read_one_at_a_time(tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    with file.open("w") as stream:
        stream.writelines(json.dumps({"text": "x" * 10_000}) + "\n" for _ in range(2000))
    tracemalloc.start()
    assert sum(len(document.text) for document in read_documents([file])) == 20_000_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def test_every_byte_of_the_input_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("ünïcode")
    (tmp_path / "b.jsonl").write_text('{"text": "one"}\n\n{"text": "two"}')
    told: list[int] = []
    list(read_documents([tmp_path], consumed=told.append))
    assert sum(told) == total_size([tmp_path]) == 9 + 32


def test_folders_are_in_the_order_of_their_paths(tmp_path: Path) -> None:
    names = ["a.b", "a/x", "a-b/y", "a/b/c", "B", "a.c/z", "ä"]
    for name in names:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    assert list(list_files([tmp_path])) == sorted(tmp_path / name for name in names)


def test_what_is_neither_file_nor_folder_is_an_error_and_not_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's name has to be short
    (tmp_path / "a.txt").write_text("a")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataInvalid, match=r"pipe: is no regular file"):
        list(read_documents([tmp_path]))
    (tmp_path / "pipe").unlink()
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(DataInvalid, match=r"link: No such file"):
        list(read_documents([tmp_path]))
    (tmp_path / "link").unlink()
    with socket.socket(socket.AF_UNIX) as end:
        end.bind("s")
        with pytest.raises(DataInvalid, match=r"/s: No such device"):
            list(read_documents([tmp_path]))


def test_a_linked_folder_is_read_and_a_loop_of_links_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.txt").write_text("a")
    (tmp_path / "also").symlink_to("real")
    assert [d.text for d in read_documents([tmp_path])] == ["a", "a"]
    (tmp_path / "real" / "up").symlink_to("..")
    with pytest.raises(DataInvalid, match=r"contains itself, by a link; remove the link"):
        list(read_documents([tmp_path]))


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("x.txt", "x" * 101, r"x.txt: is larger than 100 bytes; split it into documents"),
        ("x.jsonl", '{"text": "%s"}' % ("é" * 51), r"line 1: text is larger than 100 bytes"),
        ("x.jsonl", " " * 601, r"line 1 is longer than 600 bytes"),
    ],
)
def test_a_document_beyond_the_limit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: str, problem: str
) -> None:
    monkeypatch.setattr(documents_module, "MAX_DOCUMENT", 100)
    monkeypatch.setattr(documents_module, "_MAX_LINE", 600)
    (tmp_path / name).write_text(content)
    with pytest.raises(DataInvalid, match=problem):
        list(read_documents([tmp_path]))
