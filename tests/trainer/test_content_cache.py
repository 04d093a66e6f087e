from __future__ import annotations

from typing import TYPE_CHECKING

from pv_trainer import content_cache
from pv_trainer.content_cache import module_digest


if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_comments_and_docstrings_are_not_part_of_a_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content_cache, "__file__", str(tmp_path / "content_cache.py"))
    texts = {
        "one": '"""Doc."""\ndef f(x):\n    """Doc."""\n    return x + 1  # why\n',
        "two": "def f(x):\n\n    return (x + 1)\n",
        "three": "def f(x):\n    return x + 2\n",
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.py").write_text(text)
    assert module_digest("one") == module_digest("two") != module_digest("three")
