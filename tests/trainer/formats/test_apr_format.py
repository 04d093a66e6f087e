from __future__ import annotations

import json
import math
import os
import struct
import subprocess
import sys
import tracemalloc
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings, strategies as st

from pv_trainer import error_ids
from pv_trainer.errors import InitInvalid
from pv_trainer.formats import apr_layout as layout, apr_reader
from pv_trainer.formats.apr_reader import AprFile, read_header, read_into, stream, verify
from pv_trainer.formats.apr_writer import Payload, write_apr
from pv_trainer.model.config import SHAPES, tensor_shapes


if TYPE_CHECKING:
    from pathlib import Path


def pad64(data: bytes) -> bytes:
    return data + bytes(-len(data) % 64)


def entry(
    name: bytes = b"a",
    code: int = 0,
    dims: tuple[int, ...] = (2,),
    offset: int = 0,
    size: int = 8,
) -> bytes:
    """An index entry by hand, from the specification."""
    head = struct.pack("<H", len(name)) + name + struct.pack("<BB", code, len(dims))
    return head + struct.pack(f"<{len(dims) + 2}Q", *dims, offset, size)


def by_hand(
    metadata: bytes = b"{}",
    index: bytes = entry(),
    data: bytes = pad64(bytes(8)),
    **changes: Any,
) -> bytes:
    """A whole file by hand, with both checksums right whatever is changed."""
    index_at = 64 + len(pad64(metadata))
    header: dict[str, Any] = {
        "magic": b"APR\0",
        "major": 2,
        "minor": 0,
        "flags": 0x0400,
        "count": 1,
        "metadata_at": 64,
        "metadata_size": len(metadata),
        "index_at": index_at,
        "data_at": index_at + len(pad64(index)),
        "reserved": bytes(20),
    } | changes
    reserved: bytes = header.pop("reserved")
    first: bytes = struct.pack("<4sBBHIQIQQ", *header.values())
    checksum = struct.pack("<I", zlib.crc32(first + reserved))
    body: bytes = first + checksum + reserved + pad64(metadata) + pad64(index) + data
    return body + struct.pack("<I", zlib.crc32(body))


def stored(folder: Path, data: bytes) -> Path:
    path = folder / "file.apr"
    path.write_bytes(data)
    return path


def read_bytes(file: AprFile, name: str) -> bytes:
    data = bytearray(file.entries[name].size)
    read_into(file, name, memoryview(data))
    return bytes(data)


def streamed(file: AprFile) -> dict[str, bytes]:
    """Each tensor put together from its portions, which must come in their order."""
    found: dict[str, bytes] = {}
    for name, position, portion in stream(file):
        assert position == len(found.setdefault(name, b""))
        found[name] += bytes(portion)
    return found


def payload(name: str, dtype: str, shape: tuple[int, ...], data: bytes) -> Payload:
    return Payload(name, dtype, shape, lambda: data)


# --- the layout, against facts that do not come from this code


@pytest.mark.parametrize(
    ("shape", "tensors", "metadata", "index", "file_size"),
    [
        ("llama-370m", 219, 704, 15_808, 1_494_053_060),
        ("qwen2-0.5b", 291, 896, 20_480, 2_520_691_140),
    ],
)
def test_published_file_sizes_follow_from_the_layout(
    shape: str, tensors: int, metadata: int, index: int, file_size: int
) -> None:
    shapes = tensor_shapes(replace(SHAPES[shape], tie_word_embeddings=False))
    entries, offset = [], 0
    for name in sorted(shapes):
        size = 4 * math.prod(shapes[name])
        entries.append(layout.TensorEntry(name, "F32", shapes[name], offset, size))
        offset += layout.pad(size)
    assert len(entries) == tensors
    assert layout.pad(len(layout.pack_index(entries))) == index
    assert 64 + metadata + index + layout.data_size(entries) + 4 == file_size


def test_the_writer_gives_the_bytes_of_the_specification(tmp_path: Path) -> None:
    path = tmp_path / "file.apr"
    write_apr(path, {}, [payload("a", "F32", (2,), bytes(range(8)))])
    assert path.read_bytes() == by_hand(data=pad64(bytes(range(8))))


def test_the_writer_returns_the_digest_of_the_file(tmp_path: Path) -> None:
    import hashlib

    path = tmp_path / "file.apr"
    digest = write_apr(path, {"é": 1}, [payload("a", "U8", (3,), b"abc")])
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()


# --- round trips

names = st.text(
    st.characters(categories=("L", "M", "N", "P", "S"), include_characters=" "),
    min_size=1,
    max_size=20,
).filter(str.isprintable)
long_names = st.builds(
    lambda sign, count: sign * (count // len(sign.encode())),
    st.sampled_from(["a", "é", "層", "🜁"]),
    st.integers(200, 256),
)
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
finite = st.recursive(
    leaves.filter(lambda v: not isinstance(v, float) or math.isfinite(v)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
dtypes = st.sampled_from([dtype.name for dtype in layout.DTYPES])
shapes = (
    st.lists(st.integers(0, 5), max_size=8).filter(lambda s: math.prod(s) < 1000).map(tuple)
)


@settings(max_examples=60, deadline=None)
@given(
    metadata=st.dictionaries(st.text(max_size=8), finite, max_size=5),
    tensors=st.dictionaries(names | long_names, st.tuples(dtypes, shapes), max_size=6),
    data=st.data(),
)
def test_whatever_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory,
    metadata: dict[str, Any],
    tensors: dict[str, tuple[str, tuple[int, ...]]],
    data: st.DataObject,
) -> None:
    path = tmp_path_factory.mktemp("round") / "file.apr"
    contents = {}
    for name, (dtype, shape) in tensors.items():
        size = layout.DTYPE_BY_NAME[dtype].size_bytes(shape)
        contents[name] = data.draw(st.binary(min_size=size, max_size=size))
    write_apr(
        path, metadata, [payload(name, *tensors[name], contents[name]) for name in tensors]
    )
    file = verify(path)
    assert file.metadata == metadata
    assert {n: (e.dtype, e.shape) for n, e in file.entries.items()} == tensors
    assert {name: read_bytes(file, name) for name in tensors} == contents
    assert streamed(file) == {name: data for name, data in contents.items() if data}
    assert file.header.flags == layout.FLAG_ROW_MAJOR
    # What was read is written again as the same file, byte for byte.
    again = [payload(n, e.dtype, e.shape, contents[n]) for n, e in file.entries.items()]
    write_apr(path.with_name("again.apr"), file.metadata, again)
    assert path.with_name("again.apr").read_bytes() == path.read_bytes()


def test_unknown_metadata_keys_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "file.apr"
    write_apr(path, {"a_key_of_tomorrow": {"nested": [1, None]}}, [])
    assert read_header(path).metadata == {"a_key_of_tomorrow": {"nested": [1, None]}}


# --- damage


FOR_DAMAGE = {error_ids.INIT_FORMAT, error_ids.INIT_READ, error_ids.INIT_METADATA}


def test_every_flipped_byte_is_found(tmp_path: Path) -> None:
    path = tmp_path / "file.apr"
    write_apr(path, {"name": "x"}, [payload("a", "F32", (2,), bytes(range(8)))])
    good = path.read_bytes()
    for position in range(len(good)):
        bad = bytearray(good)
        bad[position] ^= 0x10
        path.write_bytes(bad)
        with pytest.raises(InitInvalid) as caught:
            verify(path)
        assert caught.value.id in FOR_DAMAGE, position


def test_every_flipped_header_byte_is_found_without_the_footer(tmp_path: Path) -> None:
    good = by_hand()
    for position in range(64):
        bad = bytearray(good)
        bad[position] ^= 0x10
        body = bytes(bad[:-4])
        path = stored(tmp_path, body + struct.pack("<I", zlib.crc32(body)))
        with pytest.raises(InitInvalid, match=r"header checksum is|not an \.apr|version"):
            read_header(path)


def test_every_truncation_is_found_from_the_header_alone(tmp_path: Path) -> None:
    path = tmp_path / "file.apr"
    write_apr(path, {"name": "x"}, [payload("a", "F32", (2,), bytes(range(8)))])
    good = path.read_bytes()
    for length in range(len(good)):
        path.write_bytes(good[:length])
        wanted = error_ids.INIT_FORMAT if length < 4 else error_ids.INIT_READ
        with pytest.raises(InitInvalid) as caught:
            read_header(path)
        assert caught.value.id == wanted, length


def test_bytes_after_the_footer_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InitInvalid, match=r"INIT-011.*261 bytes, but header and index describe 260"
    ):
        read_header(stored(tmp_path, by_hand() + b"x"))


def test_inspecting_does_not_read_the_tensor_data(tmp_path: Path) -> None:
    bad = bytearray(by_hand())
    bad[-10] ^= 1
    path = stored(tmp_path, bytes(bad))
    assert read_header(path).header.tensor_count == 1
    with pytest.raises(InitInvalid, match=r"INIT-011.*the footer says checksum"):
        verify(path)


def test_padding_of_the_tensor_data_is_zero(tmp_path: Path) -> None:
    path = stored(tmp_path, by_hand(data=bytes(8) + b"\1" + bytes(55)))
    assert read_header(path).header.tensor_count == 1
    with pytest.raises(InitInvalid, match=r"INIT-011.*the padding after a is not zero"):
        verify(path)


@pytest.mark.parametrize("place", ["metadata", "index"])
def test_padding_of_metadata_and_index_is_zero(tmp_path: Path, place: str) -> None:
    data = bytearray(by_hand())
    at = {"metadata": 64 + 63, "index": 128 + 63}[place]
    assert data[at] == 0
    data[at] = 1
    body = bytes(data[:-4])
    path = stored(tmp_path, body + struct.pack("<I", zlib.crc32(body)))
    wanted = {"metadata": "padding after the metadata", "index": "bytes after its 1 entries"}
    with pytest.raises(InitInvalid, match=rf"INIT-011.*{wanted[place]}"):
        read_header(path)


@pytest.mark.parametrize("chunk", [8, 13, 24, 1000])
def test_portions_of_any_size_give_the_same_tensors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    path = tmp_path / "file.apr"
    data = {"a": bytes(range(200)), "b": bytes(range(120))}
    write_apr(
        path, {}, [payload("a", "F64", (25,), data["a"]), payload("b", "U8", (120,), data["b"])]
    )
    file = read_header(path)
    monkeypatch.setattr(apr_reader, "CHUNK", chunk)
    assert streamed(file) == data
    assert {name: read_bytes(file, name) for name in data} == data
    doubles = [(at, len(portion)) for name, at, portion in stream(file) if name == "a"]
    assert not any(at % 8 or length % 8 for at, length in doubles), "values are not cut"


def test_a_stream_that_is_wrong_says_so_only_at_its_end(tmp_path: Path) -> None:
    data = bytearray(by_hand(data=pad64(bytes(range(8)))))
    data[-66] ^= 1
    portions = stream(read_header(stored(tmp_path, bytes(data))))
    assert next(portions)[0] == "a"
    with pytest.raises(InitInvalid, match=r"INIT-011.*the footer says checksum"):
        next(portions)


def test_warnings_about_repeated_keys_are_few(tmp_path: Path) -> None:
    pairs = b",".join(b'"%d":null,"%d":1' % (n, n) for n in range(3000))
    file = read_header(stored(tmp_path, by_hand(b"{" + pairs + b"}")))
    assert len(file.metadata) == 3000
    assert len(file.warnings) == layout.MAX_WARNINGS


HOSTILE = """
import resource, sys
from pathlib import Path
from pv_trainer.errors import InitInvalid
from pv_trainer.formats.apr_reader import read_header, verify
limit = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
limit += int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
for path in sys.argv[2:]:
    try:
        verify(Path(path))
        print("whole")
    except InitInvalid as error:
        print(error.id)
"""


def test_what_a_header_claims_takes_no_memory_that_the_file_has_not(tmp_path: Path) -> None:
    """In a process that may take 48 MiB more than it has: 8 of them are the portion read."""
    huge = {
        "count": by_hand(count=2**32 - 1),
        "metadata": by_hand(metadata_size=2**24, index_at=64 + 2**24, data_at=128 + 2**24),
        "index": by_hand(data_at=128 + 2**24),
        "tensor": by_hand(index=entry(dims=(2**60,), size=2**62)),
        "product": by_hand(index=entry(dims=(2**63,) * 8, size=0)),
        "empty": by_hand(index=entry(dims=(2**63, 2**63, 0), size=0), data=b""),
        "whole": by_hand(),
    }
    for name, data in huge.items():
        (tmp_path / name).write_bytes(data)
    line = [sys.executable, "-c", HOSTILE, str(48 * 2**20), *(str(tmp_path / n) for n in huge)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == [*[error_ids.INIT_READ] * 5, "whole", "whole"]


def test_metadata_at_its_limit_takes_memory_in_proportion(tmp_path: Path) -> None:
    data = b'{"a":[' + b",".join([b"[]"] * 200_000) + b"]}"
    path = stored(tmp_path, by_hand(data))
    tracemalloc.start()
    read_header(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 60 * len(data)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_hostile_file_with_right_checksums_gives_an_error_and_no_crash(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    u64 = st.sampled_from([0, 1, 63, 64, 128, 192, 256, 2**31, 2**63, 2**64 - 1])
    changes: dict[str, Any] = data.draw(
        st.fixed_dictionaries(
            {},
            optional={
                "flags": st.integers(0, 0xFFFF),
                "count": st.sampled_from([0, 1, 2, 2**32 - 1]),
                "metadata_at": u64,
                "metadata_size": st.sampled_from([0, 1, 2, 65, 2**32 - 1]),
                "index_at": u64,
                "data_at": u64,
            },
        )
    )
    index = data.draw(st.binary(max_size=80) | st.just(entry()))
    metadata = data.draw(st.binary(max_size=20) | st.just(b"{}"))
    path = stored(
        tmp_path_factory.mktemp("hostile"), by_hand(metadata, index, pad64(bytes(8)), **changes)
    )
    try:
        file = verify(path)
    except InitInvalid:
        return
    assert sum(e.size for e in file.entries.values()) <= path.stat().st_size


MALFORMED = {
    "reserved header bytes are not zero": by_hand(reserved=b"\1" + bytes(19)),
    "metadata_offset is 128, not 64": by_hand(metadata_at=128),
    "metadata_size is 4294967295, more than": by_hand(metadata_size=2**32 - 1),
    "tensor_index_offset is 256, not 128": by_hand(index_at=256),
    "data_offset is 193: before the index, or not on 64 bytes": by_hand(data_at=193),
    "the index takes 1099511627648 bytes, more than": by_hand(data_at=2**40),
    "bytes end before the tensor data; it is truncated": by_hand(data_at=2**20),
    "the index ends inside entry 1 of 2": by_hand(index=entry(b"n" * 36), count=2),
    "a tensor name has 0 bytes; 1 to 256 are allowed": by_hand(index=entry(b"")),
    "a tensor name has 257 bytes": by_hand(index=entry(b"n" * 257)),
    r"tensor name b'\\xff' is not UTF-8": by_hand(index=entry(b"\xff")),
    r"tensor name '\\x1b' holds control characters": by_hand(index=entry(b"\x1b")),
    "a: 9 dimensions; at most 8 are allowed": by_hand(index=entry(dims=(1,) * 9)),
    "a: dtype code 77 is unknown": by_hand(index=entry(code=77)),
    r"a: 12 bytes, but F32 \[2\] takes 8": by_hand(index=entry(size=12)),
    "a: offset 32 is not a multiple of 64": by_hand(index=entry(offset=32)),
    "64 bytes before a belong to no tensor": by_hand(index=entry(offset=64), data=bytes(128)),
    "index entry 'a' repeats the one before it": by_hand(index=entry() * 2, count=2),
    "index entry 'a' sorts before the one before it": by_hand(
        index=entry(b"b") + entry(b"a"), count=2
    ),
    "b overlaps a": by_hand(index=entry(b"a") + entry(b"b"), count=2),
    "the index has bytes after its 0 entries": by_hand(count=0, data=b""),
    "260 bytes, but header and index describe 4398046511300": by_hand(
        index=entry(dims=(2**40,), size=2**42)
    ),
}


@pytest.mark.parametrize("message", MALFORMED)
def test_a_malformed_file_is_refused_as_unreadable(tmp_path: Path, message: str) -> None:
    with pytest.raises(InitInvalid, match=message) as caught:
        read_header(stored(tmp_path, MALFORMED[message]))
    assert caught.value.id == error_ids.INIT_READ


NOT_READ = {
    "the file is empty": b"",
    r"it starts with b'GGUF'": b"GGUF" + bytes(100),
    "version 1 of .apr .magic APRN. is not read; version 2 is": b"APRN" + bytes(100),
    ".apr version 3.0, not 2.0": by_hand(major=3),
    ".apr version 2.1, not 2.0": by_hand(minor=1),
    "the header sets column-major, which is not implemented": by_hand(flags=0x0800),
    "the header sets LZ4, Zstd, encrypted, signed, sharded,": by_hand(flags=0x041F),
    "the header sets unknown bit 15,": by_hand(flags=0x8400),
}


@pytest.mark.parametrize("message", NOT_READ)
def test_another_format_is_refused_by_its_name(tmp_path: Path, message: str) -> None:
    with pytest.raises(InitInvalid, match=message) as caught:
        read_header(stored(tmp_path, NOT_READ[message]))
    assert caught.value.id == error_ids.INIT_FORMAT


def test_a_file_without_a_layout_flag_is_row_major(tmp_path: Path) -> None:
    assert read_header(stored(tmp_path, by_hand(flags=0))).header.flags == 0


def test_a_quantized_file_can_be_listed(tmp_path: Path) -> None:
    index = entry(b"a", 12, (256,), 0, 144) + entry(b"b", 8, (33,), 192, 36)
    path = stored(tmp_path, by_hand(index=index, count=2, flags=0x0420, data=bytes(256)))
    assert {n: e.dtype for n, e in verify(path).entries.items()} == {"a": "Q4_K", "b": "APR_Q4"}


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (b"", "metadata is not JSON"),
        (b"[]", "metadata is a JSON list, not an object"),
        (b"{", "metadata is not JSON"),
        (b"\xff\xfe", "metadata is not JSON: 'utf-8' codec"),
        (b'{"a": NaN}', "metadata holds NaN, which is not JSON"),
        (b'{"a": 1e999}', "metadata is not JSON: Out of range float"),
        (b'{"a": 1, "a": 2}', "metadata key 'a' has two values"),
        (b'{"a": "\\ud800"}', "surrogates not allowed"),
        (b"[" * 100_000, "metadata is not JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "metadata is not JSON"),
    ],
)
def test_metadata_that_is_no_object_is_refused(
    tmp_path: Path, metadata: bytes, message: str
) -> None:
    with pytest.raises(InitInvalid, match=message) as caught:
        read_header(stored(tmp_path, by_hand(metadata)))
    assert caught.value.id == error_ids.INIT_METADATA


def test_of_a_key_that_is_null_and_then_a_value_the_value_counts(tmp_path: Path) -> None:
    file = read_header(stored(tmp_path, by_hand(b'{"a": null, "a": 2}')))
    assert file.metadata == {"a": 2}
    assert file.warnings == ("metadata key 'a' is repeated; its last value counts",)


# --- the world around the file


def test_a_missing_file_has_an_id_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(InitInvalid, match=r"^\[FALSIFY-APR-PRETRAIN-INIT-003\].*no such file"):
        read_header(tmp_path / "none.apr")


def test_a_folder_in_the_place_of_a_file_is_a_read_error(tmp_path: Path) -> None:
    with pytest.raises(InitInvalid, match=r"INIT-011.*cannot be read: Is a directory"):
        read_header(tmp_path)


def test_a_pipe_in_the_place_of_a_file_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.apr")
    with pytest.raises(InitInvalid, match="INIT-011"):
        read_header(tmp_path / "pipe.apr")


def test_a_file_that_changes_between_header_and_data_is_refused(tmp_path: Path) -> None:
    path = stored(tmp_path, by_hand())
    file = read_header(path)
    path.unlink()
    stored(tmp_path, by_hand())
    os.utime(path, ns=(1, 1))
    with pytest.raises(InitInvalid, match=r"INIT-011.*changed while it was being read"):
        read_bytes(file, "a")


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = stored(tmp_path, by_hand())
    before = path.read_bytes()

    def fail() -> bytes:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_apr(path, {}, [payload("a", "U8", (1,), b"x"), Payload("b", "U8", (1,), fail)])
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("metadata", "tensors", "message"),
    [
        ({}, [("a", "U8", (2,), b"x")], "a: 1 bytes were given, not 2"),
        ({}, [("a", "U8", (1,), b"x"), ("a", "U8", (1,), b"x")], "'a' repeats"),
        ({}, [("n" * 257, "U8", (1,), b"x")], "257 bytes"),
        ({"a": math.nan}, [], "not JSON compliant"),
        ({"a": "x" * 2**24}, [], "metadata_size is"),
    ],
)
def test_what_a_reader_would_refuse_is_not_written(
    tmp_path: Path,
    metadata: dict[str, Any],
    tensors: list[tuple[str, str, tuple[int, ...], bytes]],
    message: str,
) -> None:
    with pytest.raises(ValueError, match=message):
        write_apr(tmp_path / "file.apr", metadata, [payload(*tensor) for tensor in tensors])
    assert list(tmp_path.iterdir()) == []


def test_metadata_is_compact_json(tmp_path: Path) -> None:
    path = tmp_path / "file.apr"
    metadata = {"a": [1, 2], "b": "é"}
    write_apr(path, metadata, [])
    text = json.dumps(metadata, separators=(",", ":"), ensure_ascii=False).encode()
    assert path.read_bytes()[64 : 64 + len(text)] == text
