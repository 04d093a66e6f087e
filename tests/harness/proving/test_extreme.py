"""Taking the body of a function away: what is found, and that every change can be planted."""

from __future__ import annotations

import ast
import sysconfig
from pathlib import Path, PurePosixPath

import pytest

from pv_harness.proving.extreme import Function, Skipped, find_functions, plant_probes
from pv_harness.proving.scratch import apply_patch


FILE = PurePosixPath("m.py")
STDLIB = Path(sysconfig.get_path("stdlib"))
SAMPLES = ("contextlib", "textwrap", "reprlib")


def found(source: str) -> list[Function | Skipped]:
    return list(find_functions(FILE, source))


def functions(source: str) -> list[Function]:
    return [f for f in found(source) if isinstance(f, Function)]


def returns(source: str) -> list[str]:
    (function,) = functions(source)
    return [patch.replace.partition("\n")[0] for patch in function.patches]


@pytest.mark.parametrize(
    ("declared", "constants"),
    [
        ("", ["return"]),
        (" -> None", ["return"]),
        (" -> bool", ["return True", "return False"]),
        (" -> int", ["return 0", "return 1"]),
        (" -> float", ["return 0.0", "return 1.0"]),
        (" -> str", ['return ""', 'return "A"']),
        (" -> list[int]", ["return []"]),
        (" -> 'dict[str, int]'", ["return {}"]),
        (" -> typing.Mapping[str, int]", ["return {}"]),
        (" -> Thing", ["return"]),
        (" -> int | None", ["return"]),
    ],
)
def test_the_declared_type_chooses_the_constants(declared: str, constants: list[str]) -> None:
    assert returns(f"def f(x){declared}:\n    return g(x)\n") == constants


def test_a_generator_yields_nothing() -> None:
    assert returns("def f() -> int:\n    x = 1\n    yield x\n") == ["return"]
    assert returns("def f() -> int:\n    def g():\n        yield 1\n    return g\n") == [
        "return 0",
        "return 1",
    ]


@pytest.mark.parametrize(
    "body",
    [
        "pass",
        "...",
        "return",
        "return 1",
        "return None",
        "raise NotImplementedError",
        "'says what it would do'",
        "'says'\n    return True",
    ],
)
def test_a_function_without_a_body_is_left_out_in_silence(body: str) -> None:
    assert found(f"def f():\n    {body}\n") == []


@pytest.mark.parametrize("decorator", ["overload", "typing.overload", "abc.abstractmethod"])
def test_a_declaration_is_left_out_in_silence(decorator: str) -> None:
    assert found(f"@{decorator}\ndef f():\n    g()\n") == []


def test_methods_are_found_and_functions_within_functions_are_not() -> None:
    source = (
        "class A:\n    class B:\n        def c(self):\n            x()\n"
        "async def d():\n    def e():\n        y()\n    await e()\n"
    )
    assert [str(f) for f in functions(source)] == ["m.py:3 A.B.c", "m.py:5 d"]


@pytest.mark.parametrize(
    ("name", "patch_id"),
    [
        ("__init__", "init-returns-nothing"),
        ("_a__b", "a-b-returns-nothing"),
        ("größe", "gr-e-returns-nothing"),
        ("長さ", "function-returns-nothing"),
        ("X2", "x2-returns-nothing"),
    ],
)
def test_a_change_has_a_name_that_the_schema_takes(name: str, patch_id: str) -> None:
    (function,) = functions(f"def {name}():\n    g()\n")
    assert function.patches[0].id == patch_id


def test_what_can_not_be_changed_is_said() -> None:
    assert found("def f(): return g()\n") == [
        Skipped(FILE, "f", 1, "its body stands on the line of its def")
    ]
    twins = "def f():\n    g()\n\ndef h():\n    g()\n"
    reason = "no text at the beginning of its body stands once in its file"
    assert found(twins) == [Skipped(FILE, "f", 1, reason), Skipped(FILE, "h", 4, reason)]


def test_an_anchor_is_as_long_as_it_must_be() -> None:
    source = "def f():\n    g()\n    x()\n\ndef h():\n    g()\n    y()\n"
    assert [f.anchor for f in functions(source)] == ["g()\n    x()", "g()\n    y()"]


AWKWARD = {
    "tabs": "def f():\n\tx = 1\n\treturn x\n",
    "line ends of Windows": "def f():\r\n  x()\r\n  y()\r\n\r\ndef h():\r\n  x()\r\n",
    "a form feed": "A = 1\n\x0c\ndef f():\n    x = 'a\x0cb'\n    return x\n",
    "a decorated body": "def f():\n    @deco\n    def g():\n        pass\n    return g\n",
    "a decorated class": "def f():\n    @deco(\n  1)\n    class G:\n        x = 2\n",
    "other scripts": "def f():\n    x = 'ä\U0001f600'; y = 2\n    return x\n",
    "a doc string": "def f():\n    '''\n    Says.\n    '''\n    x = 1\n    return x\n",
    "no line end": "def f():\n    x = 1\n    return x",
    "a comment first": "def f():\n    # why\n    x = 1\n    return x\n",
    "a with": "def f():\n    with (\n        a() as b,\n    ):\n        pass\n",
    "generator": "def f():\n    x = 1\n    yield x\n",
    "a branch": "if A:\n    def f():\n        pass\ndef g():\n  x()\n",
}
SOURCES = {
    **AWKWARD,
    **{name: (STDLIB / f"{name}.py").read_text(encoding="utf-8") for name in SAMPLES},
}


@pytest.mark.parametrize("name", SOURCES)
def test_every_change_can_be_planted_and_changes_its_function_alone(name: str) -> None:
    source = SOURCES[name]
    assert functions(source)
    for function in functions(source):
        for patch in function.patches:
            changed = apply_patch(source, patch)  # or it is void
            assert _without(changed, function.name) == _without(source, function.name)


def _without(source: str, name: str) -> str:
    """The tree of a file with the body of one function taken out."""
    tree = ast.parse(source)
    body = tree.body
    *classes, last = name.split(".")
    for part in classes:
        owner = next(n for n in body if isinstance(n, ast.ClassDef) and n.name == part)
        body = owner.body
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == last:
            node.body = [ast.Pass()]
    return ast.dump(tree)


@pytest.mark.parametrize("name", SOURCES)
def test_probes_can_be_planted_in_all_functions_at_once(name: str, tmp_path: Path) -> None:
    source = SOURCES[name]
    marks = {f: str(tmp_path / str(n)) for n, f in enumerate(functions(source))}
    probed = plant_probes(source, marks)
    compile(probed, name, "exec", dont_inherit=True)
    assert probed.count("_pv_entered_") == 2 * len(marks)


def test_a_probe_notes_that_its_function_was_entered_and_changes_nothing(
    tmp_path: Path,
) -> None:
    source = "def f(x):\n    y = x\n    return y\n\n\ndef g(x):\n    z = x\n    return z\n"
    marks = {f: str(tmp_path / f.name) for f in functions(source)}
    scope: dict[str, object] = {}
    exec(plant_probes(source, marks) + "\nSEEN = [f(1), f(2)]\n", scope)
    assert scope["SEEN"] == [1, 2]
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
    assert [name for name in scope if name.startswith("_pv")] == ["_pv_entered_1"]
