"""`pv gate [ID...]`: what stands in the way and what would cure it, then the decision."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pv_harness.commands.asking import add_names, read_selected, width
from pv_harness.errors import UsageError


if TYPE_CHECKING:
    import argparse

    from pv_harness.exit_code import ExitCode
    from pv_harness.policy.gate import GateAnswer
    from pv_harness.policy.policy import Policy, PolicyFile
    from pv_harness.workflow.declared import Declared


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """The options of `pv gate`."""
    add_names(verb)
    verb.add_argument(
        "--policy", metavar="NAME", help="a policy of the policy file, waivers included"
    )
    verb.add_argument(
        "--require",
        choices=("ceiling", "PARTIAL", "INTEGRATION", "DISCHARGED"),
        help="without a policy: the level that every claim has to show (default: ceiling, all "
        "that it can show)",
    )
    verb.add_argument(
        "--allow-blocked",
        action="store_true",
        help="without a policy: leave out falsifiers whose device is absent, and say so",
    )
    verb.add_argument(
        "--format",
        choices=("text", "json", "github"),
        default="text",
        help="text for people (default), json for programs, github for annotations",
    )
    ratchet = verb.add_mutually_exclusive_group()
    ratchet.add_argument(
        "--update-ratchet",
        action="store_true",
        help="delete from the policy's ratchet what is good enough now; never adds",
    )
    ratchet.add_argument(
        "--init-ratchet",
        action="store_true",
        help="write the policy's ratchet, where there is none, from all that stands in the way",
    )


def run(args: argparse.Namespace) -> ExitCode:
    """Decide, and say what would cure what stands in the way."""
    from pv_harness.workflow.gate import answer_gate

    _refuse_contradictions(args)
    now_s = time.time()
    declared, selected = read_selected(args)
    policy, file = _policy_of(declared, args, now_s)
    if file is not None and args.init_ratchet:
        _init_ratchet(declared, file, policy, now_s)
    ids = {falsifier.id for falsifier in selected}
    answer = answer_gate(declared, ids, policy, file, now_s)
    if args.update_ratchet:
        _update_ratchet(declared, answer)
        answer = answer_gate(declared, ids, policy, file, now_s)
    _print(answer, declared, args.format, now_s)
    return answer.exit_code


def _refuse_contradictions(args: argparse.Namespace) -> None:
    if args.policy is not None and (args.require or args.allow_blocked):
        raise UsageError("--policy says what is asked; leave out --require and --allow-blocked")
    for option in ("update_ratchet", "init_ratchet"):
        if getattr(args, option) and args.policy is None:
            raise UsageError(f"--{option.replace('_', '-')} needs --policy NAME")
        if getattr(args, option) and args.names:
            raise UsageError(f"--{option.replace('_', '-')} is about all falsifiers, no IDs")


def _policy_of(
    declared: Declared, args: argparse.Namespace, now_s: float
) -> tuple[Policy, PolicyFile | None]:
    """The named policy, or the one that the options describe, which knows no waivers."""
    from pv_harness.policy.policy import Policy, Requirement
    from pv_harness.policy.reading import read_level
    from pv_harness.workflow.gate import choose_policy, read_policy_file

    if args.policy is not None:
        file = read_policy_file(declared, now_s)
        return choose_policy(file, args.policy, declared.project.keys), file
    everything = Requirement("*", read_level(args.require or "ceiling"))
    return Policy(None, (everything,), blocked_left_out=args.allow_blocked), None


def _init_ratchet(declared: Declared, file: PolicyFile, policy: Policy, now_s: float) -> None:
    from pv_harness.workflow.gate import init_ratchet

    count = init_ratchet(declared, file, policy, now_s)
    _note(f"written: {policy.ratchet}, which allows {count} falsifiers to be below")


def _update_ratchet(declared: Declared, answer: GateAnswer) -> None:
    from pv_harness.workflow.gate import ratchet_path, update_ratchet

    ratchet_path(declared.project, answer.decision.policy)
    gone = update_ratchet(declared.project, answer)
    for name in gone:
        _note(f"deleted from {answer.decision.policy.ratchet}: {name}")


def _note(text: str) -> None:
    import sys

    print(text, file=sys.stderr)


def _print(answer: GateAnswer, declared: Declared, shape: str, now_s: float) -> None:
    from datetime import UTC, datetime

    from pv_harness.policy.report import (
        render_gate_github,
        render_gate_json,
        render_gate_text,
    )

    match shape:
        case "json":
            derived = datetime.fromtimestamp(now_s, UTC).isoformat(timespec="seconds")
            print(render_gate_json(answer, derived=derived), end="")
        case "github":
            from pv_harness.workflow.places import find_lines

            rows = [result.row for result in answer.decision.results]
            lines = find_lines(declared.project.root, rows)
            print(render_gate_github(answer, lines=lines), end="")
        case _:
            print(render_gate_text(answer, width=width()), end="")
