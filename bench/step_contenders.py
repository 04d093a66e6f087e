"""What trains in turn: our own step, and those of the libraries that people use."""

from __future__ import annotations

import hashlib
import importlib
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from pv_trainer.checkpoints.init import fresh_model
from pv_trainer.checkpoints.saving import huggingface_config
from pv_trainer.data.batches import Batch
from pv_trainer.model.config import SHAPES
from pv_trainer.training.optimizer import make_optimizer
from pv_trainer.training.torch_modes import compile_trunk, deterministic
from pv_trainer.training.update import train_step


if TYPE_CHECKING:
    from collections.abc import Callable

    Step = Callable[[int], None]

LR = 3e-4


@dataclass(frozen=True, slots=True)
class Work:
    """What a step does: the shape, the batch, and where."""

    shape: str
    batch: int
    length: int
    device: torch.device

    @property
    def tokens(self) -> int:
        """Targets of one step."""
        return self.batch * self.length

    def windows(self, step: int) -> np.ndarray[Any, np.dtype[np.uint32]]:
        """The tokens of a step, one more per row than there are targets."""
        rng = np.random.Generator(np.random.PCG64(step))
        shape = (self.batch, self.length + 1)
        return rng.integers(0, SHAPES[self.shape].vocab_size, shape, dtype=np.uint32)

    def ids(self, step: int) -> torch.Tensor:
        """The same as the peers take them, on the device."""
        window = torch.from_numpy(self.windows(step).astype(np.int64))
        return window[:, :-1].to(self.device)


@dataclass(frozen=True, slots=True)
class Kind:
    """What is compared with what: precision and compilation."""

    name: str
    bf16: bool
    compiled: bool
    goal: str


def ours(kind: Kind, work: Work) -> Step:
    """The step of `apr pretrain`, with the digest of its batch."""
    dtype = torch.bfloat16 if kind.bf16 else torch.float32
    generator = torch.Generator().manual_seed(0)
    model = fresh_model(SHAPES[work.shape], generator, device=work.device, dtype=dtype)
    with deterministic(work.device.type):
        if kind.compiled:
            compile_trunk(model)
    optimizer = make_optimizer(model)

    def step(number: int) -> None:
        rows = work.windows(number)
        digest = hashlib.sha256(rows.tobytes()).hexdigest()[:16]
        window = rows.astype(np.int64)
        with deterministic(work.device.type):  # as a run has it
            batch = Batch(window[:, :-1], window[:, 1:], digest)
            train_step(model, optimizer, batch, rate=LR, grad_accum=1)

    return step


def _reference(work: Work) -> Any:
    import transformers  # noqa: PLC0415 - seconds that ours alone does not need

    described = huggingface_config(SHAPES[work.shape], eos_token_id=None)
    config = transformers.AutoConfig.for_model(**described, use_cache=False)
    build: Any = transformers.AutoModelForCausalLM.from_config
    return build(config).to(work.device)


def transformers_loop(kind: Kind, work: Work) -> Step:
    """The loop that the library's own examples write out."""
    model = _reference(work)
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for p in model.parameters() if p.ndim >= 2], "weight_decay": 0.01},
            {"params": [p for p in model.parameters() if p.ndim < 2], "weight_decay": 0.0},
        ],
        lr=LR,
        fused=True,
    )
    forward = torch.compile(model) if kind.compiled else model

    def step(number: int) -> None:
        ids = work.ids(number)
        optimizer.zero_grad()
        with torch.autocast(work.device.type, dtype=torch.bfloat16, enabled=kind.bf16):
            loss = forward(input_ids=ids, labels=ids).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        float(loss.detach())

    return step


def hf_trainer(kind: Kind, work: Work) -> Step:
    """The Trainer's own training step, called step by step so that turns are fair."""
    importlib.import_module("accelerate")  # the Trainer refuses to start without it
    import transformers  # noqa: PLC0415 - as above

    model = _reference(work)
    arguments = transformers.TrainingArguments(
        output_dir=tempfile.gettempdir(),  # it asks for a folder, and writes nothing there
        per_device_train_batch_size=work.batch,
        learning_rate=LR,
        weight_decay=0.01,
        max_grad_norm=1.0,
        bf16=kind.bf16,
        torch_compile=kind.compiled,
        use_cpu=work.device.type == "cpu",
        report_to=[],
        optim="adamw_torch_fused",
        max_steps=10**6,
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
    )
    trainer = transformers.Trainer(model=model, args=arguments)
    trainer.create_optimizer()
    trainer.current_gradient_accumulation_steps = 1  # train() sets it
    model, optimizer = trainer.accelerator.prepare(model, trainer.optimizer)
    model.train()

    def step(number: int) -> None:
        ids = work.ids(number)
        loss = trainer.training_step(model, {"input_ids": ids, "labels": ids})
        trainer.accelerator.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        model.zero_grad()
        float(loss.detach())

    return step
