"""Who is said to have used a GPU, with a stand-in for torch's allocator."""

from __future__ import annotations

import sys
import types
from typing import TYPE_CHECKING

import pytest

from pv_harness.evidence.store import read_statements
from pv_harness.measuring.cuda_memory import peak_since, read_memory, reset_peak


if TYPE_CHECKING:
    from tests.harness.conftest import Toy

TORCH = '''\
"""As much of torch as says what was allocated, on two devices."""

STARTED = []


class Device:
    def __init__(self):
        self.held = self.peak = self.total = 0


DEVICES = [Device(), Device()]


def allocate(size, device=0):
    STARTED.append(True)
    it = DEVICES[device]
    it.held += size
    it.total += max(size, 0)
    it.peak = max(it.peak, it.held)


class cuda:
    is_initialized = staticmethod(lambda: bool(STARTED))
    device_count = staticmethod(lambda: len(DEVICES))
    max_memory_allocated = staticmethod(lambda i: DEVICES[i].peak)
    memory_stats = staticmethod(lambda i: {"allocated_bytes.all.allocated": DEVICES[i].total})

    @staticmethod
    def reset_peak_memory_stats(i):
        DEVICES[i].peak = DEVICES[i].held
'''


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    module = types.ModuleType("torch")
    exec(TORCH, module.__dict__)
    monkeypatch.setitem(sys.modules, "torch", module)
    return module


def test_without_torch_no_gpu_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    reset_peak()
    assert read_memory() == ()
    assert peak_since(()) == 0


def test_before_cuda_is_used_nothing_is_asked_of_it(torch: types.ModuleType) -> None:
    torch.cuda.device_count = None
    reset_peak()
    assert peak_since(read_memory()) == 0


def test_the_peak_is_that_of_the_device_that_was_used(torch: types.ModuleType) -> None:
    torch.allocate(900, device=1)
    before = read_memory()
    torch.allocate(50)
    torch.allocate(-50)
    torch.allocate(20)
    assert peak_since(before) == 50
    assert peak_since(()) == 900


def test_what_is_held_from_before_is_no_use(torch: types.ModuleType) -> None:
    torch.allocate(900)
    reset_peak()
    before = read_memory()
    assert peak_since(before) == 0
    torch.allocate(-800)
    assert peak_since(before) == 0
    torch.allocate(1)  # far below the peak, and still a use
    assert peak_since(before) == 900


def test_an_allocator_without_totals_is_known_by_its_peak(torch: types.ModuleType) -> None:
    torch.cuda.memory_stats = staticmethod(lambda _: {})
    torch.allocate(900)
    reset_peak()
    before = read_memory()
    assert peak_since(before) == 0
    torch.allocate(1)
    assert peak_since(before) == 901


def test_a_peak_that_was_reset_meanwhile_hides_nothing(torch: types.ModuleType) -> None:
    torch.allocate(900)
    before = read_memory()
    torch.allocate(-800)
    reset_peak()
    torch.allocate(5)
    assert peak_since(before) == 105


CHECKS = """\
import pytest

import torch


@pytest.fixture(scope="module")
def trained():
    torch.allocate(1000)
    torch.allocate(-1000)


@pytest.mark.falsifies("FALSIFY-TOY-001")
def test_on_the_gpu(measure):
    torch.allocate(5000)
    torch.allocate(-4900)  # and the rest never
    measure("sum", 5)


@pytest.mark.falsifies("FALSIFY-TOY-002")
def test_on_the_cpu(measure):
    measure("sum", 5)


@pytest.mark.falsifies("FALSIFY-TOY-003")
def test_sets_up_what_others_share(measure, trained):
    measure("sum", 5)


@pytest.mark.falsifies("FALSIFY-TOY-004")
def test_uses_what_another_has_set_up(measure, trained):
    measure("sum", 5)


@pytest.mark.falsifies("FALSIFY-TOY-005")
def test_on_the_cpu_again(measure):
    measure("sum", 5)


@pytest.mark.falsifies("FALSIFY-TOY-006")
def test_in_a_process_of_its_own(measure, cli):
    code = "import torch; torch.allocate(7)"
    measure("sum", 5 + cli("python", "-c", code).returncode)


@pytest.mark.falsifies("FALSIFY-TOY-007")
def test_in_a_process_without(measure, cli):
    measure("sum", 5 + cli("python", "-c", "import torch").returncode)
"""


def test_each_check_is_credited_with_its_own_work_alone(toy: Toy) -> None:
    toy.write("src/torch.py", TORCH)
    toy.write("checks/test_toy.py", CHECKS)
    contract = (toy.root / "contracts/toy-v1.yaml").read_text()
    head, claim = contract.split("falsifiers:\n")
    claim = claim.replace('{reached: ["toy.cli:main"]}', "{device: cuda}")
    claims = [claim.replace("TOY-001", f"TOY-00{number}") for number in range(1, 8)]
    toy.write("contracts/toy-v1.yaml", head + "falsifiers:\n" + "".join(claims))
    done = toy.pv("run")
    assert done.returncode == 3, done.stderr
    (statement,) = read_statements(toy.root / "reports" / "evidence")
    peaks = {r.falsifier_id[-1]: (r.cuda_peak_bytes, r.lane) for r in statement.runs}
    assert peaks == {
        "1": (5000, "cuda"),
        "2": (0, "cpu"),
        "3": (1100, "cuda"),
        "4": (1100, "cuda"),
        "5": (0, "cpu"),
        "6": (7, "cuda"),
        "7": (0, "cpu"),
    }
    shown = toy.pv("explain", "FALSIFY-TOY-002").stdout
    assert "ran on cpu, asked cuda" in shown
