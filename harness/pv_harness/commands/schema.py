"""`pv schema [NAME]`: the JSON Schemas that are shipped, listed or one of them printed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pv_harness.exit_code import ExitCode


if TYPE_CHECKING:
    import argparse


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """The options of `pv schema`."""
    verb.add_argument(
        "name",
        nargs="?",
        metavar="NAME",
        help="contract, policy ...; contract-v1 for one version; without it all are listed",
    )


def run(args: argparse.Namespace) -> ExitCode:
    """Print one schema as it is shipped, or the list of all."""
    from pv_harness.insight.schemas import find_schema, list_schemas

    schemas = list_schemas()
    if args.name is not None:
        print(find_schema(args.name, schemas).text, end="")
        return ExitCode.SATISFIED
    column = max(len(schema.full_name) for schema in schemas)
    for schema in schemas:
        print(f"{schema.full_name:<{column}}  {schema.title}")
    return ExitCode.SATISFIED
