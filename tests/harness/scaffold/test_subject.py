"""Which module a first claim is about, and where a statement fits into it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, strategies as st

from pv_harness.scaffold.subject import find_anchor, find_subject, find_unfit


if TYPE_CHECKING:
    from pathlib import Path


def write(root: Path, name: str, text: str = "import math\n") -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "anchor"),
    [
        ("import math\n", "import math"),
        ('"""Doc."""\nfrom __future__ import annotations\nx = 1\n', "x = 1"),
        ("import torch\nimport torch.nn\n", "import torch.nn"),
        ("x = 1\r\ny = 2\r\n", "x = 1"),
        ("@cache\ndef f(): ...\n\ndef g(): ...\n", "def g(): ..."),
        ("if True:\n    import a\nelse:\n    import b\n", "if True:"),
        ("try:\n    import a\nexcept ImportError:\n    a = None\n", "try:"),
        ('x = 1\nif __name__ == "__main__":\n    print(x)\n', "x = 1"),
        ("x = (\n  1)\n", "x = ("),
    ],
)
def test_the_anchor_is_a_line_that_stands_once(tmp_path: Path, text: str, anchor: str) -> None:
    (tmp_path / "m.py").write_bytes(text.encode())
    assert find_anchor(tmp_path / "m.py") == anchor


@pytest.mark.parametrize(
    "text",
    [
        "",
        '"""Only a docstring."""\n',
        "from __future__ import annotations\n",
        "import math\nprint(math.pi)\n",
        "for _ in range(3):\n    train()\n",
        "def broken(:\n",
        "x = 1\nx = 1\n",
        "@cache\ndef f(): ...\n",
    ],
)
def test_a_program_and_a_module_without_a_line_have_no_anchor(
    tmp_path: Path, text: str
) -> None:
    write(tmp_path, "m.py", text)
    assert find_anchor(tmp_path / "m.py") is None


def test_what_is_no_text_has_no_anchor(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_bytes(b"x = '\xff'\n")
    assert find_anchor(tmp_path / "m.py") is None
    assert find_anchor(tmp_path / "absent.py") is None


@given(st.lists(st.sampled_from(["import a", "x = 1", "def f(): ...", "class C: ...", "# c"])))
def test_a_statement_before_an_anchor_compiles(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    text = "\n".join(lines)
    file = tmp_path_factory.mktemp("anchor") / "m.py"
    file.write_text(text, encoding="utf-8")
    anchor = find_anchor(file)
    if anchor is not None:
        assert text.count(anchor) == 1
        compile(text.replace(anchor, f"y = 2\n{anchor}"), "m.py", "exec")


@pytest.mark.parametrize(
    ("files", "module"),
    [
        ({"b/__init__.py": "import math\n", "a/__init__.py": "import math\n"}, "a"),
        ({"mine/__init__.py": "import math\n", "a/__init__.py": "import math\n"}, "mine"),
        ({"a/__init__.py": "", "a/loss.py": "import math\n"}, "a.loss"),
        ({"a/__init__.py": "", "train.py": "import math\n"}, "train"),
        ({"tests/__init__.py": "import math\n", "train.py": "import math\n"}, "train"),
        ({"setup.py": "import math\n", "test_x.py": "x = 1\n", "conftest.py": "x = 1\n"}, None),
        ({"a/__init__.py": "print(1)\n", "a/__main__.py": "x = 1\n"}, None),
        ({"not-a-name/__init__.py": "import math\n"}, None),
        ({}, None),
    ],
)
def test_the_subject_is_the_package_that_fits_best(
    tmp_path: Path, files: dict[str, str], module: str | None
) -> None:
    for name, text in files.items():
        write(tmp_path, name, text)
    found = find_subject([tmp_path], "mine")
    assert (found.module if found else None) == module


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("print(1)\n", "importing it runs line 1, 'print(1)'; put what it does into functions"),
        ("def broken(:\n", "it is no Python that can be read"),
        ("x = 1\nx = 1\n", "no line of it stands there once"),
    ],
)
def test_what_is_unfit_is_named_with_the_reason(tmp_path: Path, text: str, why: str) -> None:
    write(tmp_path, "m.py", text)
    write(tmp_path, "empty.py", "")
    write(tmp_path, "fit.py")
    ((name, found),) = [(u.path.name, u.why) for u in find_unfit([tmp_path], "m")]
    assert name == "m.py"
    assert found.startswith(why)
