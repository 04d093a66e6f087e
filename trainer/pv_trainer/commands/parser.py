"""The command line of `apr`: every verb, with the function that does it."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn

from pv_trainer import error_ids
from pv_trainer.commands import (
    bench,
    embedded,
    export,
    import_,
    inspect,
    pretrain,
    publish,
    stamp,
    tokenize,
)
from pv_trainer.errors import UsageError


class Parser(argparse.ArgumentParser):
    """argparse, with errors as values of this package."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing and exiting.

        Raises:
            UsageError: always.
        """
        raise UsageError(error_ids.USAGE, f"{self.prog}: {message}", f"see {self.prog} --help")


class VersionAction(argparse.Action):
    """`--version`, looked up only when asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Print the version and end the parse."""
        from pv_trainer.version import installed_version

        sys.stdout.write(f"apr {installed_version()}\n")
        parser.exit()


def make_parser() -> argparse.ArgumentParser:
    """The parser of every verb; what it returns has the function that does it as `run`."""
    parser = Parser(prog="apr", description="Train Llama- and Qwen2-family decoders.")
    parser.add_argument(
        "--version",
        action=VersionAction,
        nargs=0,
        default=argparse.SUPPRESS,
        help="print the version",
    )
    verbs = parser.add_subparsers(
        dest="verb", required=True, metavar="VERB", parser_class=Parser
    )
    train = _verb(verbs, "pretrain", "train a model, from a checkpoint or from scratch")
    pretrain.add_arguments(train)
    train.set_defaults(run=pretrain.pretrain)
    _add_tokenize(
        verbs.add_parser("tokenize", help="train a tokenizer, or encode text into shards")
    )
    look = _verb(verbs, "inspect", "show what a checkpoint says about itself")
    inspect.add_arguments(look)
    look.set_defaults(run=inspect.inspect)
    take = _verb(verbs, "import", "write a Hugging Face checkpoint as one .apr file")
    import_.add_arguments(take)
    take.set_defaults(run=import_.import_)
    write = _verb(verbs, "export", "write a checkpoint as a Hugging Face directory")
    export.add_arguments(write)
    write.set_defaults(run=export.export)
    mark = _verb(verbs, "stamp", "write into a checkpoint which run it comes from")
    stamp.add_arguments(mark)
    mark.set_defaults(run=stamp.stamp)
    release = _verb(verbs, "publish", "write a folder to publish, if the gate is met")
    publish.add_arguments(release)
    release.set_defaults(run=publish.publish)
    speed = _verb(verbs, "bench", "measure how fast a shape trains on this machine")
    bench.add_arguments(speed)
    speed.set_defaults(run=bench.bench)
    build = _verb(
        verbs, "embedded", "build the embedded corpus and model once; print where they are"
    )
    build.set_defaults(run=embedded.embedded)
    return parser


def _add_tokenize(parser: Parser) -> None:
    steps = parser.add_subparsers(
        dest="step", required=True, metavar="STEP", parser_class=Parser
    )
    train = _verb(steps, "train", "train a byte-level BPE on text")
    tokenize.add_train_arguments(train)
    train.set_defaults(run=tokenize.tokenize_train)
    encode = _verb(steps, "encode", "encode text into shards with a manifest")
    tokenize.add_encode_arguments(encode)
    encode.set_defaults(run=tokenize.tokenize_encode)


def _verb(
    verbs: argparse._SubParsersAction[Parser],
    name: str,
    text: str,
) -> Parser:
    parser = verbs.add_parser(name, help=text, description=text, allow_abbrev=False)
    parser.add_argument("--json", action="store_true", help="one JSON report on stdout")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser
