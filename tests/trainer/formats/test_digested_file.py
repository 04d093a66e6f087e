from __future__ import annotations

import errno
import hashlib
import os
import threading
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings, strategies as st

from pv_trainer.formats import apr_writer, digested_file
from pv_trainer.formats.apr_reader import read_into, verify
from pv_trainer.formats.apr_writer import Payload, write_apr
from pv_trainer.formats.digested_file import digested


if TYPE_CHECKING:
    from pathlib import Path


@settings(max_examples=60, deadline=None)
@given(parts=st.lists(st.binary(max_size=40), max_size=12), every=st.integers(1, 100))
def test_the_digest_is_that_of_the_file(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], every: int
) -> None:
    path = tmp_path_factory.mktemp("digested") / "file"
    with pytest.MonkeyPatch.context() as patched, path.open("wb") as file:
        patched.setattr(digested_file, "SYNC_EVERY", every)
        with digested(file) as out:
            for part in parts:
                out.write(memoryview(part))
            digest = out.sha256()
    assert path.read_bytes() == b"".join(parts)
    assert digest == hashlib.sha256(b"".join(parts)).hexdigest()


@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=300), portion=st.integers(1, 80), every=st.integers(1, 200))
def test_a_file_written_in_portions_is_the_same_file(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, portion: int, every: int
) -> None:
    folder = tmp_path_factory.mktemp("portions")
    payloads = [Payload("a", "U8", (len(data),), lambda: data)]
    whole = write_apr(folder / "whole.apr", {}, payloads)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(apr_writer, "_PORTION", portion)
        patched.setattr(digested_file, "SYNC_EVERY", every)
        assert write_apr(folder / "cut.apr", {}, payloads) == whole
    written = (folder / "cut.apr").read_bytes()
    assert written == (folder / "whole.apr").read_bytes()
    assert int.from_bytes(written[-4:], "little") == zlib.crc32(written[:-4])
    found = bytearray(len(data))
    read_into(verify(folder / "cut.apr"), "a", memoryview(found))
    assert found == data


def test_a_disk_that_fails_once_meanwhile_fails_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel tells one fsync of it, and the next that all is well."""
    calls: list[int] = []

    def failing(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 1:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("os.fsync", failing)
    monkeypatch.setattr(digested_file, "SYNC_EVERY", 400)
    with pytest.raises(OSError, match="Input/output error"):
        write_apr(tmp_path / "file.apr", {}, [Payload("a", "U8", (300,), lambda: bytes(300))])
    assert calls
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("given_bytes", [1, 3])
def test_a_refused_tensor_leaves_no_file_and_no_thread(
    tmp_path: Path, given_bytes: int
) -> None:
    before = threading.active_count()
    payloads = [
        Payload("a", "U8", (2,), lambda: b"ab"),
        Payload("b", "U8", (2,), lambda: bytes(given_bytes)),
    ]
    with pytest.raises(ValueError, match=f"b: {given_bytes} bytes were given, not 2"):
        write_apr(tmp_path / "file.apr", {}, payloads)
    assert list(tmp_path.iterdir()) == []
    assert threading.active_count() == before
