from __future__ import annotations

from typing import TYPE_CHECKING

from pv_harness.digest import digest_bytes
from pv_harness.fingerprint.sources import SourceTree


if TYPE_CHECKING:
    from pathlib import Path


def make_tree(root: Path, files: dict[str, str]) -> SourceTree:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return SourceTree(root, [root])


def names(tree: SourceTree, root: Path, *start: str) -> set[str]:
    return {p.relative_to(root).as_posix() for p in tree.closure([root / s for s in start])}


def test_the_closure_follows_imports_and_takes_the_packages_above(tmp_path: Path) -> None:
    tree = make_tree(
        tmp_path,
        {
            "a/__init__.py": "",
            "a/b.py": "from a.sub import leaf\n",
            "a/sub/__init__.py": "from . import hidden\n",
            "a/sub/leaf.py": "import other\n",
            "a/sub/hidden.py": "",
            "other.py": "import json\n",
            "unrelated.py": "",
        },
    )
    assert names(tree, tmp_path, "a/b.py") == {
        "a/__init__.py",
        "a/b.py",
        "a/sub/__init__.py",
        "a/sub/leaf.py",
        "a/sub/hidden.py",
        "other.py",
    }


def test_an_import_inside_a_function_counts_and_one_for_typing_does_not(tmp_path: Path) -> None:
    text = (
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import only_types\n"
        "def f():\n    import lazy\n"
    )
    tree = make_tree(tmp_path, {"m.py": text, "lazy.py": "", "only_types.py": ""})
    assert names(tree, tmp_path, "m.py") == {"m.py", "lazy.py"}


def test_an_import_counts_in_every_block_that_a_statement_can_hold(tmp_path: Path) -> None:
    blocks = {
        "a": "class K:\n    async def f(self):\n        async with x:\n            import a\n",
        "b": "for x in y:\n    pass\nelse:\n    import b\n",
        "c": "while x:\n    import c\n",
        "d": "if x:\n    pass\nelif y:\n    import d\n",
        "e": "try:\n    pass\nexcept E:\n    import e\n",
        "f": "try:\n    pass\nexcept* E:\n    pass\nelse:\n    import f\nfinally:\n    pass\n",
        "g": "try:\n    pass\nfinally:\n    import g\n",
        "h": "match x:\n    case [1]:\n        pass\n    case _:\n        import h\n",
        "i": "if TYPE_CHECKING:\n    pass\nelse:\n    import i\n",
    }
    modules = {f"{name}.py": "" for name in blocks}
    tree = make_tree(tmp_path, {"m.py": "".join(blocks.values()), **modules})
    assert names(tree, tmp_path, "m.py") == {"m.py", *modules}


def test_relative_imports_are_resolved_at_every_level(tmp_path: Path) -> None:
    tree = make_tree(
        tmp_path,
        {
            "p/__init__.py": "",
            "p/q/__init__.py": "",
            "p/q/m.py": "from ..r import x\nfrom .s import y\n",
            "p/r.py": "",
            "p/q/s.py": "",
        },
    )
    found = names(tree, tmp_path, "p/q/m.py")
    assert {"p/r.py", "p/q/s.py"} <= found


def test_a_cycle_ends(tmp_path: Path) -> None:
    tree = make_tree(tmp_path, {"x.py": "import y\n", "y.py": "import x\n"})
    assert names(tree, tmp_path, "x.py") == {"x.py", "y.py"}


def test_a_file_that_does_not_parse_is_known_by_its_bytes(tmp_path: Path) -> None:
    tree = make_tree(tmp_path, {"bad.py": "def (\n"})
    file = tree.read(tmp_path / "bad.py")
    assert file.syntax_digest == file.bytes_digest
    assert file.imports == ()


def test_the_digest_of_a_file_is_that_of_the_bytes_which_were_parsed(tmp_path: Path) -> None:
    tree = make_tree(tmp_path, {"m.py": "x = 1\n"})
    file = tmp_path / "m.py"
    before = tree.bytes_digest(file)
    file.write_text("x = 2\n", encoding="utf-8")
    source = tree.read(file)
    file.write_text("x = 3\n", encoding="utf-8")
    assert source.bytes_digest == digest_bytes(b"x = 2\n") != before
    assert tree.bytes_digest(file) == source.bytes_digest
