"""What is read off an ended command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pv_falsifiers import pretrain_command
from pv_harness.measuring.command import CompletedCommand


if TYPE_CHECKING:
    from pathlib import Path


def ended(returncode: int, stdout: str) -> CompletedCommand:
    return CompletedCommand(("apr",), returncode, stdout, "", 0.1)


def measured(done: CompletedCommand, run_dir: Path) -> dict[str, Any]:
    values: dict[str, Any] = {}

    def measure(
        metric: str, value: Any, unit: str | None = None, samples: int | None = None
    ) -> None:
        assert (unit, samples) == (None, None)
        values[metric] = value

    pretrain_command.measure_refusal(measure, done, run_dir)
    return values


def test_a_refusal_is_read_from_the_report(tmp_path: Path) -> None:
    done = ended(10, '{"error": {"id": "SOME-ID-001"}}')
    expected = {"exit_code": 10, "error_id": "SOME-ID-001", "run_dirs": 0}
    assert measured(done, tmp_path / "run") == expected


def test_a_crash_and_a_run_folder_are_measured_not_raised(tmp_path: Path) -> None:
    expected = {"exit_code": 1, "error_id": "none", "run_dirs": 1}
    assert measured(ended(1, "Traceback"), tmp_path) == expected


def test_a_shape_replaces_the_checkpoint_and_a_device_the_cpu(tmp_path: Path) -> None:
    scene = pretrain_command.unread_scene(tmp_path, 300)
    calls: list[tuple[Any, ...]] = []
    pretrain_command.pretrain(lambda *args: calls.append(args), scene, tmp_path / "run")  # type: ignore[arg-type]
    flags = ("--config", "tiny-llama", "--device", "cuda")
    pretrain_command.pretrain(
        lambda *args: calls.append(args),  # type: ignore[arg-type]
        scene,
        tmp_path / "run",
        *flags,
    )
    from_init, from_scratch = calls
    assert "--init" in from_init
    assert "cpu" in from_init
    assert "--init" not in from_scratch
    assert "cpu" not in from_scratch
