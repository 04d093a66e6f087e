from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from pv_trainer.data import documents as documents_module
from pv_trainer.data.documents import read_documents, total_size
from pv_trainer.errors import DataInvalid, UsageError


if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def pyarrow() -> Any:
    return pytest.importorskip("pyarrow", reason="needs the extra parquet")


def write_table(path: Path, columns: dict[str, Any], **options: Any) -> Path:
    import pyarrow as pa
    from pyarrow import parquet

    parquet.write_table(pa.table(columns), path, **options)
    return path


def test_without_pyarrow_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "x.parquet").write_bytes(b"PAR1")
    with pytest.raises(
        UsageError,
        match=r"needs the extra parquet: there is no pyarrow here; pip install .*parquet",
    ):
        list(read_documents([tmp_path]))


@pytest.mark.usefixtures("pyarrow")
@pytest.mark.parametrize("rows_per_group", [1, 7, 1000])
def test_rows_are_documents_in_their_order(tmp_path: Path, rows_per_group: int) -> None:
    texts = [f"text {n} — ünïcode\n" for n in range(600)] + [""]
    columns = {"other": list(range(601)), "text": texts, "body": texts[::-1]}
    file = write_table(tmp_path / "x.parquet", columns, row_group_size=rows_per_group)
    told: list[int] = []
    found = [d.text for d in read_documents([tmp_path], consumed=told.append)]
    assert found == texts
    assert sum(told) == total_size([file])
    assert [d.text for d in read_documents([file], text_field="body")] == texts[::-1]


def test_every_kind_of_string_is_read(tmp_path: Path, pyarrow: Any) -> None:
    for n, kind in enumerate((pyarrow.string(), pyarrow.large_string())):
        write_table(tmp_path / f"{n}.parquet", {"text": pyarrow.array(["a", "b"], kind)})
    words = pyarrow.array(["a", "b"]).dictionary_encode()
    write_table(tmp_path / "2.parquet", {"text": words})
    assert [d.text for d in read_documents([tmp_path])] == ["a", "b"] * 3


@pytest.mark.usefixtures("pyarrow")
@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ({"body": ["a"]}, r"no column text; its columns: body; name the column of texts with"),
        ({"text": [1]}, r"its column text is of type int64, not of strings"),
        ({"text": [b"a"]}, r"is of type binary, not of strings"),
        ({"text": ["a", None]}, r"row 2: text is null; leave such rows out"),
        ({"text": ["a", "b", "é" * 51]}, r"row 3: text is larger than 100 bytes"),
    ],
)
def test_a_table_without_texts_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: dict[str, Any], problem: str
) -> None:
    monkeypatch.setattr(documents_module, "MAX_DOCUMENT", 100)
    write_table(tmp_path / "x.parquet", columns)
    with pytest.raises(DataInvalid, match=rf"CORPUS-008\] .*x.parquet: .*{problem}"):
        list(read_documents([tmp_path]))


@pytest.mark.usefixtures("pyarrow")
@pytest.mark.parametrize("keep", [0, 4, 40, -1, -300])
def test_a_broken_file_is_refused(tmp_path: Path, keep: int) -> None:
    file = write_table(tmp_path / "x.parquet", {"text": [f"text {n}" for n in range(500)]})
    data = file.read_bytes()
    file.write_bytes(data[:keep])
    with pytest.raises(DataInvalid, match=r"CORPUS-008\] .*x.parquet: "):
        list(read_documents([file]))


@pytest.mark.usefixtures("pyarrow")
def test_a_flipped_byte_is_read_or_refused_and_never_a_crash(tmp_path: Path) -> None:
    texts = [f"text {n}" for n in range(50)]
    file = write_table(tmp_path / "x.parquet", {"text": texts}, write_page_checksum=True)
    data = file.read_bytes()
    refused = 0
    for place in range(0, len(data), 7):
        file.write_bytes(data[:place] + bytes([data[place] ^ 0x41]) + data[place + 1 :])
        try:
            list(read_documents([file]))
        except DataInvalid:
            refused += 1
    assert refused > len(data) // 7 // 4
