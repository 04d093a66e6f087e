# ruff: noqa: PLC0415  # a contender imports its own libraries, before its clock starts
"""Loading and writing the checkpoint of a 494 M-parameter decoder, beside others' libraries.

`python bench/apr_files.py [--rounds N]` makes one with the shape of Qwen2-0.5B, in float16, in
a temporary folder: 1 GB as .apr and 1 GB as a Hugging Face directory. Every contender runs in a
process of its own, in turn with the others of its table, and each round begins with another
one, since the first after a write pays for the memory that the write left dirty. Libraries are
imported before the clock starts. Memory is what the process had at its peak beyond what it had
before: mapped files count.

A first round is not counted: after it all contenders read from memory.
`--isal DIR` puts a folder with the optional CRC library on the path of every process.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from timing import describe_machine


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SHAPE: Final = "qwen2-0.5b"
ROOT: Final = Path(__file__).resolve().parents[1]


def main() -> None:
    """Time every contender in turn and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--isal", type=Path, metavar="DIR")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="keep the files here")
    parser.add_argument("--table", action="append", choices=list(TABLES), help="only this")
    parser.add_argument("--child", choices=sorted(CONTENDERS), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        print(json.dumps(run_child(CONTENDERS[args.child], args.folder, args.threads)))
        return
    with tempfile.TemporaryDirectory(prefix="apr-files-", dir=args.folder) as made:
        folder = Path(made)
        subprocess.run([*_child_line("make", folder, args)], env=_environment(args), check=True)
        print(f"{describe_machine()}, {args.threads} thread(s), {args.rounds} rounds\n")
        for title in args.table or TABLES:
            names = TABLES[title]
            print(render(title, time_in_turn(names, folder, args)), flush=True)


def time_in_turn(
    names: tuple[str, ...], folder: Path, args: argparse.Namespace
) -> dict[str, list[dict[str, float]]]:
    """Contender's name -> what each round gave."""
    results: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for number in range(args.rounds + 1):
        first = number % len(names)
        for name in (*names[first:], *names[:first]):
            found = _run(name, folder, args)
            if number:  # the first round warms the page cache
                results[name].append(found)
    return results


def render(title: str, results: Mapping[str, list[dict[str, float]]]) -> str:
    """A Markdown table: seconds, ratio to the first row, memory at the peak."""
    (ours, *_) = results
    own = statistics.median(r["seconds"] for r in results[ours])
    columns = "contender | median s | min | max | / ours | CPU s | peak MB | of weights"
    lines = [f"### {title}\n", f"| {columns} |", "|---" * 8 + "|"]
    for name, rounds in results.items():
        seconds = [r["seconds"] for r in rounds]
        middle = statistics.median(seconds)
        peak = statistics.median(r["peak_bytes"] for r in rounds)
        share = peak / rounds[0]["weight_bytes"]
        cpu = statistics.median(r["cpu_seconds"] for r in rounds)
        values = (middle, min(seconds), max(seconds), middle / own, cpu)
        cells = [f"{value:.2f}" for value in values]
        lines.append(f"| {name} | {' | '.join(cells)} | {peak / 1e6:.0f} | {share:.2f} |")
    return "\n".join([*lines, ""])


def run_child(
    contender: Callable[[Path], Callable[[], int]], folder: Path, threads: int
) -> Any:
    """Seconds and memory of one contender: prepared first, then timed."""
    import torch

    torch.set_num_threads(threads)
    work = contender(folder)
    before = _resident()
    started, started_cpu = time.perf_counter(), time.process_time()
    weight_bytes = work()
    seconds, cpu = time.perf_counter() - started, time.process_time() - started_cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "seconds": seconds,
        "cpu_seconds": cpu,
        "peak_bytes": peak - before,
        "weight_bytes": weight_bytes,
    }


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


def _run(name: str, folder: Path, args: argparse.Namespace) -> dict[str, float]:
    line = _child_line(name, folder, args)
    done = subprocess.run(line, env=_environment(args), capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stderr.decode('utf-8', 'replace')[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _child_line(name: str, folder: Path, args: argparse.Namespace) -> list[str]:
    script = str(Path(__file__).resolve())
    threads = str(args.threads)
    return [
        sys.executable,
        script,
        "--child",
        name,
        "--folder",
        str(folder),
        "--threads",
        threads,
    ]


def _environment(args: argparse.Namespace) -> dict[str, str]:
    paths = [str(ROOT / "trainer"), *([str(args.isal)] if args.isal else [])]
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}
    threads = {"OMP_NUM_THREADS": str(args.threads)}
    return {**os.environ, **offline, **threads, "PYTHONPATH": os.pathsep.join(paths)}


# --- contenders: each prepares and returns what is timed, which returns the weights' bytes


def make(folder: Path) -> Callable[[], int]:
    """Write the checkpoint in both formats."""
    import torch
    from safetensors.torch import save_file

    from pv_trainer.checkpoints.saving import apr_metadata, huggingface_config
    from pv_trainer.formats.apr_writer import Payload, write_apr
    from pv_trainer.model.config import SHAPES, tensor_shapes

    def work() -> int:
        config = SHAPES[SHAPE]
        generator = torch.Generator().manual_seed(0)
        tensors = {
            name: torch.randn(shape, generator=generator).mul_(0.02).half()
            for name, shape in tensor_shapes(config).items()
        }
        hf = folder / "hf"
        hf.mkdir()
        described = huggingface_config(config, None) | {"dtype": "float16"}
        (hf / "config.json").write_text(json.dumps(described), encoding="utf-8")
        save_file(tensors, hf / "model.safetensors", metadata={"format": "pt"})
        payloads = [
            Payload(name, "F16", tuple(t.shape), t.view(-1).view(torch.uint8).numpy().tobytes)
            for name, t in tensors.items()
        ]
        write_apr(folder / "model.apr", apr_metadata(config), payloads)
        return 0

    return work


def apr_float32(folder: Path) -> Callable[[], int]:
    """Ours, as `apr pretrain --init` does: every byte verified."""
    import torch

    from pv_trainer.checkpoints.init import load_model

    def work() -> int:
        model, _, _ = load_model(folder / "model.apr", "cpu", torch.float32)
        return sum(p.numel() * p.element_size() for p in model.parameters())

    return work


def hf_float32(folder: Path) -> Callable[[], int]:
    """Ours, from the Hugging Face directory."""
    import torch

    from pv_trainer.checkpoints.init import load_model

    def work() -> int:
        model, _, _ = load_model(folder / "hf", "cpu", torch.float32)
        return sum(p.numel() * p.element_size() for p in model.parameters())

    return work


def apr_float16(folder: Path) -> Callable[[], int]:
    """Ours, in the dtype of the file: every byte verified."""
    import torch

    from pv_trainer.formats.checkpoint import open_checkpoint

    def work() -> int:
        checkpoint = open_checkpoint(folder / "model.apr")
        found = {
            name: torch.empty(info.shape, dtype=torch.float16)
            for name, info in checkpoint.tensors.items()
        }
        for name, start, values in checkpoint.stream():
            found[name].view(-1)[start : start + len(values)] = values
        return sum(t.numel() * 2 for t in found.values())

    return work


def pretrained(dtype: str) -> Callable[[Path], Callable[[], int]]:
    """The loader of transformers; what it maps is touched."""

    def prepare(folder: Path) -> Callable[[], int]:
        import torch
        from transformers import Qwen2ForCausalLM

        def work() -> int:
            model = Qwen2ForCausalLM.from_pretrained(folder / "hf", dtype=getattr(torch, dtype))
            return _touch(dict(model.named_parameters()))

        return work

    return prepare


def loaded(*, widen: bool) -> Callable[[Path], Callable[[], int]]:
    """The library's load_file; what it maps is touched."""

    def prepare(folder: Path) -> Callable[[], int]:
        from safetensors.torch import load_file

        def work() -> int:
            found = load_file(folder / "hf" / "model.safetensors")
            return _touch({name: t.float() if widen else t for name, t in found.items()})

        return work

    return prepare


def _touch(tensors: Mapping[str, Any]) -> int:
    import torch

    for tensor in tensors.values():
        int(tensor.detach().view(-1).view(torch.uint8)[::4096].sum())
    return sum(t.numel() * t.element_size() for t in tensors.values())


def _in_memory(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    found = load_file(folder / "hf" / "model.safetensors")
    return {name: tensor.clone() for name, tensor in found.items()}


def write_ours(folder: Path) -> Callable[[], int]:
    """Our writer: checksum, sha256, fsync, rename, fsync of the folder."""
    from pv_trainer.formats.apr_writer import Payload, write_apr

    tensors = _in_memory(folder)

    def work() -> int:
        payloads = [
            Payload(name, "F16", tuple(t.shape), partial(_data, t))
            for name, t in tensors.items()
        ]
        write_apr(folder / "written.apr", {}, payloads)
        return sum(t.numel() * 2 for t in tensors.values())

    return work


def _data(tensor: Any) -> Any:
    import torch

    return tensor.view(-1).view(torch.uint8).numpy().data


def write_theirs(folder: Path) -> Callable[[], int]:
    """The library's save_file, and fsync."""
    from safetensors.torch import save_file

    tensors = _in_memory(folder)

    def work() -> int:
        path = folder / "written.safetensors"
        save_file(tensors, path)
        with path.open("rb") as file:
            os.fsync(file.fileno())
        return sum(t.numel() * 2 for t in tensors.values())

    return work


TABLES: Final = {
    "load into float32 weights": (
        "apr load_model .apr",
        "apr load_model directory",
        "transformers from_pretrained float32",
        "safetensors load_file, float()",
    ),
    "load in the file's own float16": (
        "apr stream float16",
        "transformers from_pretrained float16",
        "safetensors load_file",
    ),
    "write, fsynced": ("apr write_apr", "safetensors save_file, fsync"),
}
CONTENDERS: Final = {
    "make": make,
    "apr load_model .apr": apr_float32,
    "apr load_model directory": hf_float32,
    "transformers from_pretrained float32": pretrained("float32"),
    "safetensors load_file, float()": loaded(widen=True),
    "apr stream float16": apr_float16,
    "transformers from_pretrained float16": pretrained("float16"),
    "safetensors load_file": loaded(widen=False),
    "apr write_apr": write_ours,
    "safetensors save_file, fsync": write_theirs,
}


if __name__ == "__main__":
    main()
