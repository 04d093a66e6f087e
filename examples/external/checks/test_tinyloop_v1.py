"""Checks of tinyloop-v1. A check measures; the numbers that it must meet are in the contract."""

import json

import pytest
import torch

from tinyloop.train import PAD, compute_loss, evaluate, make_batch, make_model, train


def count_different(left, right):
    """Tensors of two state dicts that differ in any bit; a missing one differs."""
    names = left.keys() | right.keys()
    same = (n in left and n in right and torch.equal(left[n], right[n]) for n in names)
    return len(names) - sum(same)


@pytest.mark.falsifies("FALSIFY-TINYLOOP-001")
def test_a_short_sequence_counts_for_its_tokens_alone(measure):
    """Refuted if the loss is not the mean over real tokens, token by token in float64."""
    model = make_model(seed=1).eval()
    tokens_BT = make_batch(step=0, seed=1)
    assert (tokens_BT == PAD).any(), "a batch without padding shows nothing"
    log_probabilities = model(tokens_BT[:, :-1]).double().log_softmax(-1)
    losses = [
        -log_probabilities[b, t, token].item()
        for b, row in enumerate(tokens_BT[:, 1:].tolist())
        for t, token in enumerate(row)
        if token != PAD
    ]
    loss = compute_loss(model, tokens_BT).item()
    longer_BT = torch.nn.functional.pad(tokens_BT, (0, 5), value=PAD)
    measure("loss_error", abs(loss - sum(losses) / len(losses)), unit="nats")
    measure("padding_effect", abs(loss - compute_loss(model, longer_BT).item()), unit="nats")


@pytest.mark.falsifies("FALSIFY-TINYLOOP-002")
def test_every_parameter_is_trained(measure, cli, tmp_path):
    """Refuted if a tensor is unchanged after training, or the loss is hardly below the start's."""
    done = cli("python", "-m", "tinyloop", "--steps", "60", "--seed", "1", "--save", "end.pt")
    assert done.returncode == 0, done.stderr
    before = make_model(seed=1).state_dict()
    after = torch.load(tmp_path / "end.pt", weights_only=True)["model"]
    measure("untrained_parameters", len(before) - count_different(before, after))
    measure("val_loss", json.loads(done.stdout.splitlines()[-1])["val_loss"], unit="nats")


@pytest.mark.falsifies("FALSIFY-TINYLOOP-003")
def test_a_resumed_run_is_the_uninterrupted_one(measure, cli, tmp_path):
    """Refuted if one tensor differs by one bit. Says nothing about another machine."""
    whole = train(steps=6, seed=0).state_dict()
    train(steps=3, seed=0, save=tmp_path / "half.pt")
    words = ["--steps", "6", "--resume", "half.pt", "--save", "resumed.pt"]
    done = cli("python", "-m", "tinyloop", *words)
    assert done.returncode == 0, done.stderr
    resumed = torch.load(tmp_path / "resumed.pt", weights_only=True)["model"]
    measure("different_tensors", count_different(whole, resumed))


@pytest.mark.falsifies("FALSIFY-TINYLOOP-004")
def test_evaluation_measures_and_changes_nothing(measure):
    """Refuted if two evaluations differ, or if evaluating changes what is learned."""
    model = train(steps=3, seed=1)
    measure("evaluation_spread", abs(evaluate(model, 1) - evaluate(model, 1)), unit="nats")
    silent, watched = train(steps=6, seed=1), train(steps=6, seed=1, eval_every=1)
    measure("disturbed_tensors", count_different(silent.state_dict(), watched.state_dict()))
