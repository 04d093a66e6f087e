"""`pv evidence ACTION`: verify, list, show, merge, thin out the store; make signing keys."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pv_harness.commands.asking import add_signing, find_project
from pv_harness.commands.paths import existing_file, given_path
from pv_harness.errors import UsageError
from pv_harness.exit_code import ExitCode
from pv_harness.wording import counted, printable, show


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pv_harness.evidence.finding import Finding
    from pv_harness.evidence.statement import RunStatement
    from pv_harness.project import Project

_ACTIONS = {
    "verify": "find everything that is wrong with the store",
    "list": "show the statements, oldest first",
    "show": "print one statement as JSON",
    "merge": "copy the statements of other stores into this one",
    "gc": "remove old statements that no status rests on",
    "keygen": "make a pair of keys to sign with",
}
_PRIVATE = ".key.pem"
_SHORT = 12
_MIN_PREFIX = 4
_WIDE = 60


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """The actions of `pv evidence`, and their options."""
    actions = verb.add_subparsers(metavar="ACTION", required=True, dest="action")
    made = {
        name: actions.add_parser(name, help=text, description=text, allow_abbrev=False)
        for name, text in _ACTIONS.items()
    }
    for action in made.values():
        action.set_defaults(parser=action)
        # The verb has these too; here their defaults must not overwrite what was said there.
        action.add_argument(
            "--root",
            type=given_path,
            metavar="DIR",
            default=argparse.SUPPRESS,
            help="the project",
        )
        action.add_argument(
            "--debug",
            action="store_true",
            default=argparse.SUPPRESS,
            help="show an error's traceback",
        )
    for name in ("verify", "merge"):
        _add_trust(made[name])
    made["verify"].add_argument(
        "--head",
        action="append",
        default=[],
        metavar="DIGEST",
        help="a head that an earlier verify printed: it has to be there, or noted as removed",
    )
    made["show"].add_argument("digest", metavar="DIGEST", help="its first few digits will do")
    made["merge"].add_argument(
        "folders",
        nargs="+",
        type=given_path,
        metavar="DIR",
        help="a store, such as reports/evidence",
    )
    made["gc"].add_argument(
        "--keep",
        required=True,
        metavar="N|TIME",
        help="keep the newest N, or those of the last 12h, 90d, 8w",
    )
    made["gc"].add_argument("--dry-run", action="store_true", help="say it, change nothing")
    add_signing(made["gc"])
    made["keygen"].add_argument("name", metavar="NAME", help="of the signer")
    made["keygen"].add_argument(
        "--dir",
        type=given_path,
        metavar="DIR",
        help="where both go (default: here, if git would not take up the private one)",
    )


def run(args: argparse.Namespace) -> ExitCode:
    """Do what was asked for."""
    actions = {
        "verify": _verify,
        "list": _list,
        "show": _show,
        "merge": _merge,
        "gc": _collect,
        "keygen": _make_keys,
    }
    return actions[args.action](args)


def _add_trust(action: argparse.ArgumentParser) -> None:
    action.add_argument(
        "--key",
        action="append",
        type=_named_file,
        default=[],
        metavar="NAME=FILE",
        help="a public key to trust, besides those in [tool.pv.keys]",
    )
    action.add_argument(
        "--require-signed", action="store_true", help="a trusted key has to have signed all"
    )


def _named_file(text: str) -> tuple[str, Path]:
    name, _, path = text.partition("=")
    if not name or not path:
        raise argparse.ArgumentTypeError(f"{show(text)} is not NAME=FILE")
    return name, existing_file(path)


def _trusted(args: argparse.Namespace, project: Project) -> Mapping[str, Path]:
    keys = {**project.keys, **dict(args.key)}
    if args.require_signed and not keys:
        raise UsageError(
            "--require-signed: no key is trusted; name one in [tool.pv.keys], or with --key"
        )
    return keys


def _verify(args: argparse.Namespace) -> ExitCode:
    from pv_harness.evidence.verification import survey_store

    project = find_project(args)
    survey = survey_store(
        project.evidence,
        keys=_trusted(args, project),
        require_signed=args.require_signed,
        now_s=time.time(),
        expected_heads=[_checked_prefix(head) for head in args.head],
    )
    if not survey.files and not survey.findings:
        raise UsageError(f"{project.evidence}: holds no statement; `pv run` adds one")
    _print_findings(project, survey.findings)
    print(f"{_contents(survey.statements)}, {_signed(survey.statements)}")
    noted = sum(len(s.removed) for s in survey.statements)
    if noted:
        print(f"{counted(noted, 'statement')} noted as removed")
    for head in survey.heads:
        print(f"head {head}")
    wrong = len(survey.findings)
    found = counted(wrong, "finding") if wrong else "no finding"
    print(f"{found} in {counted(survey.files, 'file')}")
    return ExitCode.INFRASTRUCTURE if wrong else ExitCode.SATISFIED


def _list(args: argparse.Namespace) -> ExitCode:
    from pv_harness.evidence.store import read_statements

    project = find_project(args)
    statements = read_statements(project.evidence, project.keys)
    if not statements:
        raise UsageError(f"{project.evidence}: holds no statement; `pv run` adds one")
    told = [_told(statement) for statement in statements]
    wide = min(max(map(len, told)), _WIDE)
    for statement, text in zip(statements, told, strict=True):
        began = time.strftime("%Y-%m-%d %H:%M", time.gmtime(statement.started_s))
        signed = _signers(statement)
        print(f"{began}  {statement.digest[:_SHORT]}  {text:{wide}}  {signed}")
    print(f"{_contents(statements)}, {_signed(statements)}; times are UTC")
    return ExitCode.SATISFIED


def _show(args: argparse.Namespace) -> ExitCode:
    import json

    from pv_harness.evidence.envelope import decode_envelope, parse_json
    from pv_harness.evidence.statement import SUFFIX
    from pv_harness.evidence.store import list_files, read_bytes, read_statement

    folder = find_project(args).evidence
    prefix = _checked_prefix(args.digest.removesuffix(SUFFIX))
    found = [file for file in list_files(folder) if file.name.startswith(prefix)]
    if not found:
        raise UsageError(f"{folder}: no statement begins with {prefix}; `pv evidence list`")
    if len(found) > 1:
        names = ", ".join(file.name[:_SHORT] for file in found[:3])
        raise UsageError(f"{folder}: {len(found)} statements begin with {prefix}: {names}")
    read_statement(found[0])
    payload = decode_envelope(read_bytes(found[0])).payload
    # ASCII only: text from checks must not reach a terminal as it is.
    print(json.dumps(parse_json(payload), indent=2))
    return ExitCode.SATISFIED


def _merge(args: argparse.Namespace) -> ExitCode:
    from pv_harness.evidence.merging import carry_out, plan_merge

    project = find_project(args)
    plan = plan_merge(
        project.evidence,
        args.folders,
        keys=_trusted(args, project),
        require_signed=args.require_signed,
        now_s=time.time(),
    )
    if plan.findings:
        _print_findings(project, plan.findings)
        print(f"{counted(len(plan.findings), 'finding')}; nothing was merged")
        return ExitCode.INFRASTRUCTURE
    carry_out(plan)
    for source in plan.sources:
        whole = counted(len(source.statements), "statement")
        print(f"{printable(str(source.folder))}: {whole}, {len(source.new)} new")
    new = [statement for source in plan.sources for statement in source.new]
    print(f"merged {_contents(new)}")
    return ExitCode.SATISFIED


def _collect(args: argparse.Namespace) -> ExitCode:
    from pv_harness.evidence.finding import REPLACEABLE
    from pv_harness.evidence.retention import parse_keep
    from pv_harness.evidence.signing import read_signer
    from pv_harness.evidence.verification import survey_store
    from pv_harness.workflow.declared import read_declared
    from pv_harness.workflow.removal import alone_in, carry_out, plan_removal

    keep, now_s = parse_keep(args.keep), time.time()
    project = find_project(args)
    if not project.evidence.is_dir():
        raise UsageError(f"{project.evidence}: holds no statement; `pv run` adds one")
    if project.keys and not args.sign and not args.dry_run:
        raise UsageError(
            "[tool.pv.keys] trusts keys, and a removal that none of them has signed excuses "
            "nothing where signatures are asked for; give --sign KEYFILE"
        )
    declared = read_declared(project)
    with alone_in(project.evidence):
        survey = survey_store(
            project.evidence, keys=project.keys, require_signed=False, now_s=now_s
        )
        wrong = [f for f in survey.findings if f.kind not in REPLACEABLE]
        if wrong:
            _print_findings(project, wrong)
            print(f"{counted(len(wrong), 'finding')}; nothing was removed")
            return ExitCode.INFRASTRUCTURE
        removal = plan_removal(declared, survey.statements, keep, now_s)
        for statement in removal.going:
            print(f"{statement.digest[:_SHORT]}  {_told(statement)}")
        if not args.dry_run:
            signer = read_signer(args.sign) if args.sign else None
            carry_out(declared, removal, args.keep, now_s, signer)
    word = "would remove" if args.dry_run else "removed"
    print(f"{word} {_contents(removal.going)}")
    kept = counted(len(survey.statements) - len(removal.going), "statement")
    print(f"kept {kept}, {len(removal.needed)} of them old, for the statuses that rest on them")
    return ExitCode.SATISFIED


def _make_keys(args: argparse.Namespace) -> ExitCode:
    import json

    from pv_harness.evidence.signing import write_key_pair
    from pv_harness.workflow.committing import would_be_committed

    project, folder = find_project(args), args.dir or Path()
    if not folder.is_dir():
        raise UsageError(f"--dir {printable(str(folder))}: no such folder; make it first")
    exposed = would_be_committed(folder / f"{args.name}{_PRIVATE}")
    if exposed and args.dir is None:
        raise UsageError(
            f"{args.name}{_PRIVATE}: `git add` would take the private key up; put "
            f"*{_PRIVATE} into .gitignore first, or say with --dir DIR where it is safe"
        )
    private, public = write_key_pair(folder, args.name)
    kept = f"git does not ignore it: put *{_PRIVATE} into .gitignore"
    print(f"{private}: sign with it, `pv run --sign {private}`; keep it out of the repository")
    if exposed:
        print(f"pv: {private}: {kept}", file=sys.stderr)
    print(f"{public}: have it trusted, in pyproject.toml:")
    # Paths of the configuration start at the root, wherever the command was started.
    print(f"\n[tool.pv.keys]\n{args.name} = {json.dumps(project.relative(public))}")
    print("\nWhoever reads what it signed needs the extra: pip install 'pv-harness[sign]'")
    return ExitCode.SATISFIED


def _checked_prefix(text: str) -> str:
    if len(text) < _MIN_PREFIX or text.strip("0123456789abcdef"):
        raise UsageError(
            f"{show(text)} is no digest, nor the beginning of one: at least {_MIN_PREFIX} "
            "digits, 0 to 9 and a to f"
        )
    return text


def _print_findings(project: Project, findings: Iterable[Finding]) -> None:
    for finding in findings:
        file = finding.file
        below = file.is_relative_to(project.root)
        print(replace(finding, file=file.relative_to(project.root) if below else file))


def _contents(statements: Sequence[RunStatement]) -> str:
    runs = sum(len(s.runs) for s in statements)
    patches = sum(len(s.patches) for s in statements)
    return (
        f"{counted(len(statements), 'statement')} with {counted(runs, 'measured record')} and "
        f"{counted(patches, 'planted change')}"
    )


def _signed(statements: Sequence[RunStatement]) -> str:
    signed = sum(bool(s.signed_by) for s in statements)
    return f"{signed} of {len(statements)} signed by a trusted key"


def _told(statement: RunStatement) -> str:
    """What a statement is about, in counts."""
    parts: list[str] = []
    if statement.runs:
        verdicts = _tally(record.verdict.value for record in statement.runs)
        parts.append(f"measured {len(statement.runs)}: {verdicts}")
    if statement.patches:
        outcomes = _tally(record.outcome.value for record in statement.patches)
        parts.append(f"planted {len(statement.patches)}: {outcomes}")
    if statement.removed:
        parts.append(f"removed {counted(len(statement.removed), 'statement')}")
    return "; ".join(parts) or "nothing"


def _tally(words: Iterable[str]) -> str:
    from collections import Counter

    return ", ".join(f"{count} {word}" for word, count in sorted(Counter(words).items()))


def _signers(statement: RunStatement) -> str:
    if statement.signed_by:
        return f"signed by {printable(', '.join(sorted(statement.signed_by)))}"
    if statement.keyids:
        names = ", ".join(keyid[:_SHORT] for keyid in statement.keyids)
        return f"signed by {printable(names)}, not trusted"
    return "unsigned"
