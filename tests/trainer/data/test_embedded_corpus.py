from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pv_trainer.data import embedded_corpus
from pv_trainer.data.documents import make_document
from pv_trainer.data.embedded_corpus import VOCABULARY, build_corpus
from pv_trainer.embedded import SHAPE
from pv_trainer.model.config import SHAPES


if TYPE_CHECKING:
    from pathlib import Path


def test_the_corpus_is_source_that_people_wrote() -> None:
    documents = embedded_corpus.standard_library()
    assert len(documents) > 200
    assert sum(len(document.text) for document in documents) > 4_000_000
    assert make_document(documents[0].text) == documents[0]


def test_the_tokenizer_has_as_many_ids_as_the_embedded_model() -> None:
    assert SHAPES[SHAPE].vocab_size == VOCABULARY


@pytest.mark.usefixtures("short_library")
def test_a_build_that_fails_leaves_nothing_in_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(embedded_corpus, "encode_corpus", fail)
    with pytest.raises(OSError, match="No space left"):
        build_corpus(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["lock"]


@pytest.mark.usefixtures("short_library")
def test_what_a_killed_build_left_is_cleared_away(tmp_path: Path) -> None:
    left_over = tmp_path / ".corpus-0.1-ab.tmp"
    left_over.mkdir()
    build_corpus(tmp_path)
    assert not left_over.exists()
