from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pv_trainer import embedded
from pv_trainer.checkpoints.init import load_model
from pv_trainer.data.embedded_corpus import build_corpus
from pv_trainer.data.shards import read_dataset
from pv_trainer.data.splits import check_disjoint
from pv_trainer.embedded import Recipe, build_embedded


if TYPE_CHECKING:
    from pathlib import Path

BRIEF = Recipe(num_steps=2, horizon=3, batch_size=2, seq_length=16, warmup_steps=1, threads=1)


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


def test_finding_what_is_built_imports_no_torch() -> None:
    code = "import sys, pv_trainer.embedded; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
