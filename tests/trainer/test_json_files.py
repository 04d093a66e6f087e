from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, strategies as st

from pv_trainer.json_files import read_json_object, write_json


FINITE = st.dictionaries(
    st.text(),
    st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    max_size=4,
)


@given(FINITE, FINITE)
def test_what_is_written_is_read(outer: dict[str, Any], inner: dict[str, Any]) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "x.json"
        write_json(file, outer | {"inner": [inner]})
        assert read_json_object(file) == outer | {"inner": [inner]}
        assert list(Path(folder).iterdir()) == [file]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_json_can_not_spell_leaves_the_file_as_it_was(
    tmp_path: Path, value: float
) -> None:
    file = tmp_path / "x.json"
    write_json(file, {"loss": 1.0})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(file, {"loss": value})
    assert read_json_object(file) == {"loss": 1.0}
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "Expecting value"),
        (b"[]", "it is not a JSON object"),
        (b"[" * 100_000, "it is nested too deep"),
        (b'{"step": NaN}', "NaN is no JSON"),
        (b'{"step": 1, "step": 2}', "the key 'step' is there twice"),
        (b'{"step": "\xff"}', "byte 10 is not UTF-8"),
        (b"{}\0", "Extra data"),
    ],
)
def test_what_is_no_json_object_is_refused(
    tmp_path: Path, content: bytes, problem: str
) -> None:
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(ValueError, match=problem):
        read_json_object(tmp_path / "x.json")


def test_what_can_not_be_read_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^No such file or directory$"):
        read_json_object(tmp_path / "absent.json")
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(ValueError, match=r"^is no regular file$"):
        read_json_object(tmp_path / "pipe.json")
    with (tmp_path / "large.json").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(ValueError, match=r"^is larger than 67,108,864 bytes$"):
        read_json_object(tmp_path / "large.json")
