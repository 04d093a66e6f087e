from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pv_trainer.commands.parser import make_parser
from pv_trainer.commands.pretrain import pretrain
from pv_trainer.errors import UsageError
from pv_trainer.training.options import PretrainOptions, option_kinds


if TYPE_CHECKING:
    import argparse


def test_the_flags_of_pretrain_and_their_defaults_are_these() -> None:
    found = vars(make_parser().parse_args(["pretrain"]))
    assert found.pop("run") is pretrain
    assert found == {
        "verb": "pretrain",
        "json": False,
        "debug": False,
        "dataset": None,
        "val_shard": None,
        "tokenizer": None,
        "init": None,
        "config": None,
        "run_dir": None,
        "mode": None,
        "lr": None,
        "warmup_steps": None,
        "target_val_loss": None,
        "num_steps": None,
        "batch_size": None,
        "seq_length": None,
        "steps_per_epoch": None,
        "grad_accum": None,
        "val_tokens": None,
        "seed": None,
        "cycle": None,
        "device": None,
        "dtype": None,
        "compile": None,
        "resume": None,
        "keep": None,
    }


@pytest.mark.parametrize("name", [n for n, k in option_kinds().items() if k.limits])
@pytest.mark.parametrize("end", ["least", "most"])
def test_the_limits_of_a_number_are_those_of_the_option(name: str, end: str) -> None:
    if name == "horizon":
        assert "horizon" not in {action.dest for action in pretrain_parser()._actions}
        return
    kind, flag = option_kinds()[name], f"--{name.replace('_', '-')}"
    limit = kind.base(getattr(kind.limits, end))
    assert getattr(make_parser().parse_args(["pretrain", f"{flag}={limit}"]), name) == limit
    away = -1 if end == "least" else 1
    beyond = limit + away if kind.base is int else math.nextafter(limit, away * math.inf)
    with pytest.raises(UsageError, match=flag):
        make_parser().parse_args(["pretrain", f"{flag}={beyond}"])


def test_what_is_left_out_is_what_the_help_says() -> None:
    """None of the parser is filled by PretrainOptions: a resumed run has values of its own."""
    defaults = {
        "num_steps": 1000,
        "batch_size": 16,
        "seq_length": 1024,
        "steps_per_epoch": 100,
        "grad_accum": 1,
        "val_tokens": 8192,
        "seed": 42,
        "cycle": False,
        "device": "auto",
        "compile": False,
    }
    options = PretrainOptions()
    assert {name: getattr(options, name) for name in defaults} == defaults
    told = {action.dest: action.help or "" for action in pretrain_parser()._actions}
    for name, default in defaults.items():
        if default is not False:
            assert told[name].endswith(f"default {default}"), name


def test_the_help_counts_the_parameters_of_each_shape() -> None:
    told = {action.dest: action.help or "" for action in pretrain_parser()._actions}["config"]
    assert "qwen2-0.5b (494,032,768; 151,936)" in told
    assert "tiny-qwen2-256 (3,870,464; 4,096)" in told


def pretrain_parser() -> argparse.ArgumentParser:
    for action in make_parser()._actions:
        if isinstance(action.choices, dict):
            parser: argparse.ArgumentParser = action.choices["pretrain"]
            return parser
    raise AssertionError


def test_values_have_their_types() -> None:
    line = ["pretrain", "--init", "a.apr", "--lr", "1e-3", "--num-steps", "0"]
    found = make_parser().parse_args([*line, "--target-val-loss", "-1.5"])
    assert (found.init, found.lr, found.num_steps) == (Path("a.apr"), 1e-3, 0)
    assert found.target_val_loss == -1.5


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("", "the following arguments are required: VERB"),
        ("fly", "invalid choice: 'fly'"),
        ("pretrain --bogus", "unrecognized arguments: --bogus"),
        ("pretrain --num", "unrecognized arguments: --num"),
        ("pretrain --num-steps x", "--num-steps: 'x' is not a whole number from 0"),
        ("pretrain --num-steps -1", "--num-steps: '-1' is not a whole number from 0"),
        ("pretrain --num-steps 1.5", "--num-steps: '1.5' is not a whole number"),
        ("pretrain --seed 99999999999999999999", "--seed: '9+' is not a whole number"),
        ("pretrain --batch-size 0", "--batch-size: '0' is not a whole number from 1"),
        ("pretrain --lr nan", "--lr: 'nan' is not a finite number"),
        ("pretrain --lr x", "--lr: 'x' is not a finite number"),
        ("pretrain --lr 0", "--lr: 0 is not from 1e-07 to 1"),
        ("pretrain --mode none", "--mode: invalid choice"),
        ("pretrain --dtype int8", "--dtype: invalid choice"),
        ("pretrain --config huge", "--config: invalid choice"),
        ("tokenize", "the following arguments are required: STEP"),
        ("tokenize encode", "arguments are required: --input, --tokenizer, --output"),
        ("tokenize train --input a --output b --vocab-size 256", "not a whole number from 257"),
        ("tokenize train --input a --output b --vocab-size 2000000", "is above 1048576"),
        (
            "tokenize encode --input a --tokenizer b --output c --hold-out 1",
            "--hold-out: 1 is not from 0 up to 1",
        ),
        ("inspect", "arguments are required: CHECKPOINT"),
        ("import", "arguments are required: SOURCE, OUT.apr"),
        ("export x", "arguments are required: DIR"),
        ("stamp", "arguments are required: CHECKPOINT"),
        ("publish x", "arguments are required: DIR"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_a_usage_error(line: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem) as caught:
        make_parser().parse_args(line.split())
    assert caught.value.id == "APR-CLI-001"
    assert "--help" in str(caught.value)
