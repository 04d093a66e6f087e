"""The first claim of a repository: about a module that is there, or one to begin with."""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from pv_harness.contracts.file_search import CONTRACT_SUFFIXES
from pv_harness.errors import UsageError
from pv_harness.insight.schemas import find_schema, list_schemas
from pv_harness.scaffold.filling import fill


if TYPE_CHECKING:
    from collections.abc import Iterator

    from pv_harness.project import Project
    from pv_harness.scaffold.names import Names
    from pv_harness.scaffold.subject import Subject

SCHEMA = "contract-v1.schema.json"
"""The file beside contracts that their first lines name, for editors."""

_SAMPLE = (("fit.py", "fit.py.txt"), ("cli.py", "cli.py.txt"), ("__main__.py", "main.py.txt"))
_PLANTED = {
    "SEEDED": '__import__("random").seed(0)',
    "DRAWN": '__import__("random").random()',
    "OWN": '__import__("random").Random(0).random()',
}


def make_example(
    project: Project, names: Names, subject: Subject | None, sample_root: str
) -> Iterator[tuple[str, str, str]]:
    """File name, what it is for, and its text: a contract, its check, and a subject if need be.

    A subject that is made lies in a package below `sample_root`.

    Raises:
        UsageError: contracts are configured to be one file, which is not there.
    """
    values = {
        "CONTRACT": names.contract,
        "ID": names.falsifier,
        "PACKAGE": names.package,
        "SCHEMA": SCHEMA,
    }
    folder = PurePosixPath(sample_root) / names.package
    if subject is None:
        kind = "sample"
        values["FOLDER"] = str(folder)
    else:
        kind = "import"
        values.update(_about(project, subject))
    contract, check = _places(project, names)
    about = f" about {subject.module}" if subject else ""
    yield (
        contract,
        f"one claim{about}, 2 planted defects, 1 control",
        fill(f"{kind}-contract.yaml", values),
    )
    yield (
        str(PurePosixPath(contract).with_name(SCHEMA)),
        "what editors complete contracts by",
        find_schema("contract-v1", list_schemas()).text,
    )
    yield (
        check,
        "its check: it measures, the contract judges",
        fill(f"{kind}-check.py.txt", values),
    )
    if subject is None:
        yield str(folder / "__init__.py"), "a package to begin with", ""
        for name, template in _SAMPLE:
            yield str(folder / name), "a part of it", fill(template, values)


def _about(project: Project, subject: Subject) -> dict[str, str]:
    anchor = subject.anchor
    changed = {key: f"{statement}\n{anchor}" for key, statement in _PLANTED.items()}
    quoted = {"ANCHOR": anchor, **changed}
    return {
        "MODULE": subject.module,
        "FILE": project.relative(subject.path),
        # JSON's strings are YAML's, but for pairs of surrogates, which are not written here.
        **{key: json.dumps(text, ensure_ascii=False) for key, text in quoted.items()},
    }


def _places(project: Project, names: Names) -> tuple[str, str]:
    first = project.contracts[0]
    if first.suffix in CONTRACT_SUFFIXES:
        file = project.relative(first)
        raise UsageError(
            f"{file}: [tool.pv] contracts names this file, which is not there; make it with "
            f"`pv new {names.falsifier} --contract {file} --covers MODULE`"
        )
    contract = f"{project.relative(first)}/{names.contract}.yaml"
    stem = names.contract.replace("-", "_")
    return contract, f"{project.relative(project.checks[0])}/test_{stem}.py"
