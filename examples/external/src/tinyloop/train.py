"""A plain torch training loop. Shapes: B sequences, T tokens, V vocabulary."""

import argparse
import json

import torch
from torch import nn
from torch.nn import functional as F

PAD, V, T = 0, 12, 10


def make_model(seed):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Embedding(V, 16), nn.Dropout(0.1), nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, V)
    )


def make_batch(step, seed, size=8):
    """Sequences that count upward from anywhere, of any length, padded: known by their step."""
    generator = torch.Generator().manual_seed(100_003 * seed + step)
    start_B1 = torch.randint(V - 1, (size, 1), generator=generator)
    length_B1 = torch.randint(3, T + 1, (size, 1), generator=generator)
    tokens_BT = (start_B1 + torch.arange(T)) % (V - 1) + 1
    return tokens_BT.masked_fill(torch.arange(T) >= length_B1, PAD)


def compute_loss(model, tokens_BT):
    """Mean cross-entropy of the next token, in nats, over the tokens that are there."""
    logits_BTV, wanted_BT = model(tokens_BT[:, :-1]), tokens_BT[:, 1:]
    return F.cross_entropy(logits_BTV.flatten(0, 1), wanted_BT.flatten(), ignore_index=PAD)


def evaluate(model, seed):
    """The loss on sequences that no step trains on."""
    model.eval()
    with torch.no_grad():
        loss = compute_loss(model, make_batch(-1, seed, size=64)).item()
    model.train()
    return loss


def train(steps, seed, resume=None, save=None, eval_every=0):
    """Train up to a number of steps, from a checkpoint if there is one."""
    model, start = make_model(seed), 0
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    if resume:
        state = torch.load(resume, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["rng"])
        start = state["step"]
    for step in range(start, steps):
        loss = compute_loss(model, make_batch(step, seed))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if eval_every and step % eval_every == 0:
            print(json.dumps({"step": step, "val_loss": evaluate(model, seed)}))
    if save:
        rng, optimizer_state = torch.get_rng_state(), optimizer.state_dict()
        state = {"model": model.state_dict(), "optimizer": optimizer_state, "rng": rng}
        torch.save({**state, "step": steps}, save)
    return model


def main():
    parser = argparse.ArgumentParser(prog="tinyloop")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", help="a checkpoint to go on from")
    parser.add_argument("--save", help="where the checkpoint goes")
    parser.add_argument("--eval-every", type=int, default=0)
    args = vars(parser.parse_args())
    model = train(**args)
    print(json.dumps({"step": args["steps"], "val_loss": evaluate(model, args["seed"])}))
