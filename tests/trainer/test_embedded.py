from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pv_trainer import embedded
from pv_trainer.checkpoints.init import load_model
from pv_trainer.data.encode import make_document
from pv_trainer.data.shards import read_dataset
from pv_trainer.data.splits import check_disjoint
from pv_trainer.embedded import Recipe, build_corpus, build_embedded, module_digest


if TYPE_CHECKING:
    from pathlib import Path

BRIEF = Recipe(num_steps=2, horizon=3, batch_size=2, seq_length=16, warmup_steps=1, threads=1)


@pytest.fixture
def short_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part of the standard library that still gives 4,096 ids in each split's reach."""
    documents = sorted(embedded.standard_library(), key=lambda d: d.sha256)[::6]
    monkeypatch.setattr(embedded, "standard_library", lambda: tuple(documents))


def test_the_corpus_is_source_that_people_wrote() -> None:
    documents = embedded.standard_library()
    assert len(documents) > 200
    assert sum(len(document.text) for document in documents) > 4_000_000
    assert make_document(documents[0].text) == documents[0]


@pytest.mark.usefixtures("short_library")
def test_corpus_and_model_are_built_once(tmp_path: Path) -> None:
    built = build_embedded(tmp_path, BRIEF)
    splits = [
        read_dataset(path)
        for path in (built.corpus.pretrain, built.corpus.finetune, built.corpus.val)
    ]
    for n, one in enumerate(splits):
        for other in splits[n + 1 :]:
            check_disjoint(one, other)
    model, _, _ = load_model(built.checkpoint)
    assert model.config.vocab_size == splits[0].manifest.vocab_size == 4096
    stamps = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*") if file.is_file()}
    assert build_embedded(tmp_path, BRIEF) == built
    assert {f: f.stat().st_mtime_ns for f in tmp_path.rglob("*") if f.is_file()} == stamps


@pytest.mark.usefixtures("short_library")
def test_another_recipe_is_another_model_on_the_same_corpus(tmp_path: Path) -> None:
    corpus = build_corpus(tmp_path)
    one = embedded.model_key(corpus, BRIEF)
    assert one == embedded.model_key(corpus, BRIEF)
    assert one != embedded.model_key(corpus, Recipe())


@pytest.mark.usefixtures("short_library")
def test_a_build_that_fails_leaves_nothing_in_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(embedded, "encode_corpus", fail)
    with pytest.raises(OSError, match="No space left"):
        build_corpus(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["lock"]


@pytest.mark.usefixtures("short_library")
def test_what_a_killed_build_left_is_cleared_away(tmp_path: Path) -> None:
    left_over = tmp_path / ".corpus-0.1-ab.tmp"
    left_over.mkdir()
    build_corpus(tmp_path)
    assert not left_over.exists()


def test_comments_and_docstrings_are_not_part_of_a_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "__file__", str(tmp_path / "embedded.py"))
    texts = {
        "one": '"""Doc."""\ndef f(x):\n    """Doc."""\n    return x + 1  # why\n',
        "two": "def f(x):\n\n    return (x + 1)\n",
        "three": "def f(x):\n    return x + 2\n",
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.py").write_text(text)
    assert module_digest("one") == module_digest("two") != module_digest("three")


def test_finding_what_is_built_imports_no_torch() -> None:
    code = "import sys, pv_trainer.embedded; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
