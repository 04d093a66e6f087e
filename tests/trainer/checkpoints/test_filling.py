from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import pytest
import torch
from hypothesis import given, settings, strategies as st

from pv_trainer.checkpoints import filling
from pv_trainer.checkpoints.filling import fill
from pv_trainer.errors import InitInvalid
from pv_trainer.formats import apr_reader
from pv_trainer.formats.apr_writer import Payload, write_apr
from pv_trainer.formats.checkpoint import open_checkpoint


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pv_trainer.formats.checkpoint import Checkpoint


class PoolOfOneWhoWaits:
    """Does a job only when its result is asked for, as a slow thread might."""

    def __init__(self, workers: int) -> None:
        assert workers >= 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def submit(self, job: Callable[..., int], *arguments: Any) -> Late:
        return Late(job, arguments)


class Late(Future[int]):
    def __init__(self, job: Callable[..., int], arguments: tuple[Any, ...]) -> None:
        super().__init__()
        self.job, self.arguments = job, arguments

    def result(self, timeout: float | None = None) -> int:
        assert timeout is None
        return self.job(*self.arguments)


def write(path: Path, tensors: dict[str, torch.Tensor]) -> Checkpoint:
    def payload(name: str, values: torch.Tensor) -> Payload:
        data = values.view(torch.uint8).numpy().tobytes() if len(values) else b""
        return Payload(name, "F16", (len(values),), lambda: data)

    write_apr(path, {}, [payload(name, values) for name, values in tensors.items()])
    return open_checkpoint(path)


def make_tensors(sizes: list[int], seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        f"t{number:02}": torch.randn(size, generator=generator).half()
        for number, size in enumerate(sizes)
    }


@pytest.mark.parametrize("pool", [ThreadPoolExecutor, PoolOfOneWhoWaits])
@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 90), min_size=1, max_size=12),
    left_out=st.sets(st.integers(0, 11)),
    chunk=st.sampled_from([2, 6, 16, 64, 8 * 2**20]),
    processors=st.integers(1, 6),
)
def test_no_portion_is_overwritten_before_it_is_written_to_its_place(
    pool: Callable[[int], Any],
    tmp_path_factory: pytest.TempPathFactory,
    sizes: list[int],
    left_out: set[int],
    chunk: int,
    processors: int,
) -> None:
    """Tensors that nobody asked for take up portions too."""
    tensors = make_tensors(sizes)
    checkpoint = write(tmp_path_factory.mktemp("filling") / "file.apr", tensors)
    wanted = {
        name: torch.full((len(values),), torch.nan)
        for number, (name, values) in enumerate(tensors.items())
        if number not in left_out
    }
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(apr_reader, "CHUNK", chunk)
        patched.setattr(filling, "ThreadPoolExecutor", pool)
        patched.setattr("os.sched_getaffinity", lambda _: set(range(processors)))
        assert fill(checkpoint, wanted) == dict.fromkeys(wanted, 0)
    for name, values in wanted.items():
        assert torch.equal(values, tensors[name].float())


def test_values_that_are_not_finite_are_counted_over_all_portions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tensors = make_tensors([50, 40])
    tensors["t00"][[0, 7, 49]] = torch.tensor([torch.nan, torch.inf, -torch.inf]).half()
    checkpoint = write(tmp_path / "file.apr", tensors)
    monkeypatch.setattr(apr_reader, "CHUNK", 16)
    found = {name: torch.empty(len(values)) for name, values in tensors.items()}
    assert fill(checkpoint, found) == {"t00": 3, "t01": 0}


def test_no_thread_is_left_and_torch_has_as_many_as_before(tmp_path: Path) -> None:
    checkpoint = write(tmp_path / "file.apr", make_tensors([50]))
    threads, of_torch = threading.active_count(), torch.get_num_threads()
    fill(checkpoint, {"t00": torch.empty(50)})
    assert (threading.active_count(), torch.get_num_threads()) == (threads, of_torch)


def test_an_operation_of_a_writer_takes_one_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads of torch that it started would make a fork of this process hang."""
    monkeypatch.setattr(filling, "MAX_WRITERS", 1)
    found: list[int] = []
    real = filling._write

    def noted(*arguments: Any) -> int:
        found.append(torch.get_num_threads())
        return real(*arguments)

    monkeypatch.setattr(filling, "_write", noted)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        fill(write(tmp_path / "file.apr", make_tensors([50])), {"t00": torch.empty(50)})
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert found == [1]


def test_the_first_thing_wrong_is_told_and_no_thread_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = write(tmp_path / "file.apr", make_tensors([50, 50, 50]))
    threads, of_torch = threading.active_count(), torch.get_num_threads()

    def cut(portions: int) -> Iterator[tuple[str, int, torch.Tensor]]:
        for name, start, values in checkpoint.stream(portions):
            if name == "t01":
                raise InitInvalid("INIT", f"{name} cannot be read")
            yield name, start, values

    monkeypatch.setattr(apr_reader, "CHUNK", 16)
    tensors = {f"t{number:02}": torch.empty(50) for number in range(3)}
    with pytest.raises(InitInvalid, match="t01 cannot be read"):
        fill(replace(checkpoint, stream_tensors=cut), tensors)
    assert (threading.active_count(), torch.get_num_threads()) == (threads, of_torch)
