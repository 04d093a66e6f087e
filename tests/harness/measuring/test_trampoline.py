"""Code that stands in for an entry point looks like it and hands everything on."""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Any

import pytest

from pv_harness.measuring.main_module import arm_code
from pv_harness.measuring.trampoline import is_trampoline, make_trampoline


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

CALLS: list[tuple[str, list[Any], dict[str, Any]]] = []


def receive(entry: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    CALLS.append((entry, list(args), dict(kwargs)))
    return "result"


def plain(a: Any, b: Any = 2) -> None:
    """What it does."""


def everything(
    a: Any, /, b: Any, c: Any = 3, *rest: Any, d: Any, e: Any = 5, **more: Any
) -> None:
    pass


def keyword_only(*, pv_enter: Any = 1) -> str:  # noqa: ARG001 - a name that we use ourselves
    return "a constant that is no docstring"


def nothing() -> None:
    pass


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trampoline_receiver", sys.modules[__name__])
    CALLS.clear()


def armed(function: Any) -> Callable[..., Any]:
    code = make_trampoline("m:f", function.__code__, "trampoline_receiver:receive")
    twin = type(function)(code, {})
    twin.__defaults__, twin.__kwdefaults__ = function.__defaults__, function.__kwdefaults__
    assert is_trampoline(code)
    assert not is_trampoline(function.__code__)
    return twin  # type: ignore[no-any-return]


@pytest.mark.parametrize("function", [plain, everything, keyword_only, nothing])
def test_it_has_the_name_and_the_parameters_and_the_documentation(function: Any) -> None:
    twin = armed(function)
    assert twin.__name__ == function.__name__
    bare = inspect.signature(function)
    expected = bare.replace(
        parameters=[
            p.replace(annotation=inspect.Parameter.empty) for p in bare.parameters.values()
        ],
        return_annotation=inspect.Signature.empty,
    )
    assert inspect.signature(twin) == expected
    assert twin.__doc__ == function.__doc__


@pytest.mark.parametrize(
    ("function", "call", "args", "kwargs"),
    [
        (plain, lambda f: f(1), [1, 2], {}),
        (plain, lambda f: f(b=5, a=1), [1, 5], {}),
        (
            everything,
            lambda f: f(1, 2, 3, 4, 5, d=6, z=7),
            [1, 2, 3, 4, 5],
            {"d": 6, "e": 5, "z": 7},
        ),
        (keyword_only, lambda f: f(), [], {"pv_enter": 1}),
        (nothing, lambda f: f(), [], {}),
    ],
)
def test_it_hands_on_every_argument_and_the_result(
    function: Any, call: Callable[[Any], Any], args: list[Any], kwargs: dict[str, Any]
) -> None:
    assert call(armed(function)) == "result"
    assert CALLS == [("m:f", args, kwargs)]  # noqa: SIM300 - a list of ours


MODULE = """\
import functools

def wrap(function):
    @functools.wraps(function)
    def inner(*args):
        return function(*args) + 1
    return inner

class main_class:
    pass

def main(x, y=2):
    "Doc."
    return x + y

@wrap
def wrapped(x):
    return x

def other():
    return 0

results = [main(1), main(1), wrapped(1), main.__name__, main.__doc__, other()]
"""


def test_functions_of_a_module_that_is_executed_at_once_are_seen() -> None:
    seen: list[str] = []
    code = compile(MODULE, "m.py", "exec")
    scope: dict[str, Any] = {"__name__": "__main__"}
    armed_code = arm_code(code, "m", ["main", "wrapped", "main_class", "absent"], seen.append)
    exec(armed_code, scope)
    assert seen == ["m:main", "m:wrapped"]
    assert scope["results"] == [3, 3, 2, "main", "Doc.", 0]


def test_a_function_under_another_name_still_works() -> None:
    seen: list[str] = []
    source = "def main(x):\n    return x\n\nrun, main = main, None\nresult = run(4)\n"
    scope: dict[str, Any] = {}
    exec(arm_code(compile(source, "n.py", "exec"), "n", ["main"], seen.append), scope)
    assert (scope["result"], seen) == (4, ["n:main"])
