"""Any bytes as a checkpoint file, and what must hold of the answer.

Nothing here needs a test runner, so that a fuzzer of another kind can drive it.
"""

from __future__ import annotations

import json
import struct
import zlib
from typing import TYPE_CHECKING, Any, Final

from pv_trainer import error_ids
from pv_trainer.checkpoints.inspection import inspect_checkpoint
from pv_trainer.errors import InitInvalid
from pv_trainer.formats import apr_layout as layout
from pv_trainer.formats.apr_reader import read_header, stream
from pv_trainer.formats.apr_writer import Payload, write_apr


if TYPE_CHECKING:
    from pathlib import Path

ALLOWED: Final = {error_ids.INIT_FORMAT, error_ids.INIT_READ, error_ids.INIT_METADATA}
TENSORS: Final = {
    "model.embed_tokens.weight": ("F32", (4, 3)),
    "model.layers.0.self_attn.q_proj.weight": ("F16", (3, 3)),
    "model.layers.0.self_attn.q_proj.bias": ("BF16", (3,)),
    "model.norm.weight": ("F32", (3,)),
    "empty": ("F32", (0, 7)),
    "one": ("I64", ()),
    "packed": ("Q4_K", (300,)),
    "schicht.é": ("U8", (65,)),
}
METADATA: Final = {
    "architecture": "qwen2",
    "hf_architecture": "Qwen2ForCausalLM",
    "num_heads": 1,
    "hidden_size": 3,
    "author": None,
    "a_key_of_tomorrow": {"nested": [1, None, "é"]},
}


class AprArena:
    """A file; each candidate is read in place of the one before."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "case.apr"
        self._copy = folder / "copy.apr"

    def seed(self) -> bytes:
        """A whole file with each kind of tensor."""
        payloads = [
            Payload(
                name,
                dtype,
                shape,
                bytes(layout.DTYPE_BY_NAME[dtype].size_bytes(shape)).__bytes__,
            )
            for name, (dtype, shape) in TENSORS.items()
        ]
        write_apr(self._file, METADATA, payloads)
        return self._file.read_bytes()

    def judge(self, data: bytes) -> InitInvalid | None:
        """The error for a file of these bytes, or None; either is held against what must hold.

        A file is refused with one of three IDs, or else it is whole: written again it has the
        same metadata and the same tensors.
        """
        self._file.write_bytes(data)
        try:
            file = read_header(self._file)
            tensors = dict.fromkeys(file.entries, b"")
            for name, position, portion in stream(file):
                assert position == len(tensors[name])
                tensors[name] += portion
        except InitInvalid as error:
            self._check_error(error)
            return error
        assert sum(map(len, tensors.values())) <= len(data)
        assert int.from_bytes(data[-4:], "little") == zlib.crc32(data[:-4])
        self._check_copy(file.metadata, {n: (e, tensors[n]) for n, e in file.entries.items()})
        self._check_inspection(len(tensors))
        return None

    def _check_error(self, error: InitInvalid) -> None:
        assert error.id in ALLOWED
        assert str(self._file) in error.what
        assert error.remedy
        assert len(error.what) < 2_000 + len(str(self._file))

    def _check_copy(
        self, metadata: Any, tensors: dict[str, tuple[layout.TensorEntry, bytes]]
    ) -> None:
        payloads = [
            Payload(name, entry.dtype, entry.shape, data.__bytes__)
            for name, (entry, data) in tensors.items()
        ]
        write_apr(self._copy, metadata, payloads)
        copy = read_header(self._copy)
        assert copy.metadata == metadata
        assert {n: (e.dtype, e.shape, e.size) for n, e in copy.entries.items()} == {
            n: (e.dtype, e.shape, e.size) for n, (e, _) in tensors.items()
        }

    def _check_inspection(self, tensors: int) -> None:
        found = inspect_checkpoint(self._file)
        assert found["tensor_count"] == tensors
        assert found["trainable"] is False
        json.dumps(found, allow_nan=False)


def resealed(data: bytes) -> bytes:
    """The bytes with both checksums made right, so that what they protect is looked at."""
    if len(data) < layout.HEADER_SIZE + layout.FOOTER_SIZE:
        return data
    header = data[:40] + struct.pack("<I", zlib.crc32(data[:40] + data[44:64])) + data[44:64]
    body = header + data[layout.HEADER_SIZE : -layout.FOOTER_SIZE]
    return body + struct.pack("<I", zlib.crc32(body))
