"""Texts to tokens, in this process or in several: the same tokens in the same order.

The other processes are spawned, never forked: a fork would copy the locks of the tokenizer's
and torch's threads, but not the threads that release them.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import unicodedata
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from pv_trainer import error_ids
from pv_trainer.data.shard_writer import DTYPE
from pv_trainer.data.tokenizer import failures_as, open_tokenizer, read_tokenizer
from pv_trainer.errors import DataInvalid, UsageError


if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence
    from concurrent.futures import Future

    from tokenizers import Encoding, Tokenizer

SAMPLE_TOKENS: Final = 64
_INLINE_CHUNKS: Final = 8
"""Fewer are done before other processes would have started."""
_CHUNKS_AHEAD: Final = 3
"""Chunks per process that wait or are worked on: what bounds the memory."""
_NORMAL_FORMS: Final = frozenset({"NFC", "NFD", "NFKC", "NFKD"})


@dataclass(frozen=True, slots=True)
class Window:
    """A run of tokens of one document, and the text that they stand for."""

    start: int
    tokens: int
    text: str


@dataclass(frozen=True, slots=True)
class Task:
    """A text to encode, and where in it to take a window."""

    text: str
    sample_at: float | None
    """From 0 for the start up to 1 for the end; None for no window."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """The tokens of a text, as bytes of little-endian u32, and its window if one was wanted."""

    ids: bytes
    window: Window | None


def encode_in_order(
    chunks: Iterable[Sequence[Task]], tokenizer: Path, workers: int
) -> Generator[Encoded]:
    """The tokens of each task of each chunk, in their order, whatever the number of workers.

    Args:
        chunks: texts that are encoded in one go, in one process.
        tokenizer: a folder or a tokenizer.json.
        workers: processes; few chunks are encoded in this one.

    Raises:
        DataInvalid: the tokenizer can't be read or fails.
        UsageError: a process was killed.
    """
    stream = iter(chunks)
    first = list(islice(stream, _INLINE_CHUNKS if workers > 1 else 0))
    if workers == 1 or len(first) < _INLINE_CHUNKS:
        tool = open_tokenizer(read_tokenizer(tokenizer))
        for chunk in chain(first, stream):
            yield from _encode_chunk(tool, chunk)
        return
    with _pool(tokenizer, workers) as pool:
        pending: deque[Future[list[Encoded]]] = deque()
        for chunk in chain(first, stream):
            pending.append(_submit(pool, chunk))
            if len(pending) > _CHUNKS_AHEAD * workers:
                yield from pending.popleft().result()
        while pending:
            yield from pending.popleft().result()


@contextmanager
def signals_held() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait; threads and processes that the block starts never take one.

    Another thread may take the signal, which Python then handles in this one: so it is noted
    here, and raised when the block has ended.
    """
    held, noted = (signal.SIGINT, signal.SIGTERM), list[int]()
    handlers = {}
    if threading.current_thread() is threading.main_thread():
        handlers = {n: signal.signal(n, lambda number, _: noted.append(number)) for n in held}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, held)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for caught in noted:
            signal.raise_signal(caught)


@contextmanager
def _pool(tokenizer: Path, workers: int) -> Iterator[ProcessPoolExecutor]:
    pool = ProcessPoolExecutor(
        workers, multiprocessing.get_context("spawn"), _start_worker, (str(tokenizer),)
    )
    others = set(multiprocessing.active_children())
    try:
        yield pool
    except BrokenProcessPool as error:
        # The pool ends the processes that it knew when it broke, and then waits for all of
        # them: also for one that was being started meanwhile.
        for process in set(multiprocessing.active_children()) - others:
            process.kill()
        raise UsageError(
            error_ids.USAGE,
            f"one of {workers} encoding processes was killed, perhaps for its memory",
            "give fewer --workers, or smaller documents",
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _submit(pool: ProcessPoolExecutor, chunk: Sequence[Task]) -> Future[list[Encoded]]:
    # A submission may start a process, which keeps this mask: Ctrl-C is for the parent, and
    # reaches it as soon as the mask is lifted, when the process has all that it starts from.
    with signals_held():
        return pool.submit(_encode_in_worker, chunk)


_TOOL: list[Tokenizer] = []
"""The tokenizer of a worker process; empty in every other."""


def _start_worker(tokenizer: str) -> None:
    # The pool ends what is left of a broken one by SIGTERM.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    parent = multiprocessing.parent_process()
    assert parent is not None  # this runs in a worker
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    _TOOL.append(open_tokenizer(read_tokenizer(Path(tokenizer))))


def _end_with(parent: Any) -> None:
    """End this process when its parent was killed, which would else leave it behind."""
    parent.join()
    os._exit(1)


def _encode_in_worker(chunk: Sequence[Task]) -> list[Encoded]:
    return list(_encode_chunk(_TOOL[0], chunk))


def _encode_chunk(tool: Tokenizer, chunk: Sequence[Task]) -> Iterator[Encoded]:
    for task in chunk:
        with failures_as(partial(_unencodable, task)):
            # Not encode_batch: it starts threads of its own.
            encoding = tool.encode(task.text, add_special_tokens=False)
        window = None if task.sample_at is None else _cut_window(tool, task, encoding)
        yield Encoded(np.asarray(encoding.ids, dtype=DTYPE).tobytes(), window)


def _unencodable(task: Task, told: str) -> DataInvalid:
    what = f"the tokenizer fails on a document of {len(task.text)} characters: {told}"
    return DataInvalid(error_ids.CORPUS_ROUND_TRIP, what)


def _cut_window(tool: Tokenizer, task: Task, encoding: Encoding) -> Window | None:
    """A window that starts and ends where no character is split between tokens."""
    offsets = encoding.offsets
    length = len(offsets)
    # Other decoders drop a space before the first token, as if a text began there.
    movable = type(tool.decoder).__name__ == "ByteLevel"
    room = max(0, length - SAMPLE_TOKENS) if movable else 0
    start = int(cast("float", task.sample_at) * room)
    while start > 0 and offsets[start][0] < offsets[start - 1][1]:
        start -= 1
    stop = min(length, start + SAMPLE_TOKENS)
    while start < stop < length and offsets[stop][0] < offsets[stop - 1][1]:
        stop -= 1
    if stop == start:
        return None
    begin = offsets[start][0] if start else 0
    end = len(task.text) if stop == length else offsets[stop - 1][1]
    text = task.text[begin:end]
    normalization = type(tool.normalizer).__name__
    if normalization in _NORMAL_FORMS:
        text = unicodedata.normalize(cast("Any", normalization), text)
    return Window(start, stop - start, text)
