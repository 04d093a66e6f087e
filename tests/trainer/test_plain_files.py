from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import pytest

from pv_trainer.plain_files import file_sha256, open_plain, read_plain


if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"12345")
    assert read_plain(file, 5) == b"12345"
    with pytest.raises(OSError, match="is larger than 4 bytes"):
        read_plain(file, 4)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_regular_file_is_refused_without_waiting(
    tmp_path: Path, make: object
) -> None:
    make(tmp_path / "x")  # type: ignore[operator]
    with pytest.raises(OSError, match=r"is no regular file|Is a directory"):
        read_plain(tmp_path / "x", 5)


def test_a_link_to_a_file_is_one(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"12345")
    (tmp_path / "link").symlink_to("x")
    with open_plain(tmp_path / "link") as file:
        assert file.read() == b"12345"


def test_a_file_is_digested_and_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc" * 100_000)
    assert file_sha256(tmp_path / "file") == hashlib.sha256(b"abc" * 100_000).hexdigest()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="is no regular file"):
        file_sha256(tmp_path / "pipe")
