"""Entry points of a module that runs as `python -m package.module`.

Python executes such a module under the name `__main__` and calls its function in the same
breath: nobody could arm it after its import. So it is armed in the code, before that is run.
"""

from __future__ import annotations

import sys
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any

from pv_harness.measuring.trampoline import is_trampoline, make_trampoline


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_IS_FUNCTION = 0x1 | 0x2
"""CO_OPTIMIZED and CO_NEWLOCALS; the code of a class body has neither."""

_NOTES: dict[str, tuple[CodeType, Callable[[str], None]]] = {}


def watch_main_module(
    entries: Mapping[str, Sequence[str]],
    roots: Iterable[str],
    on_reach: Callable[[str], None],
) -> None:
    """Watch entry points of the module that `python -m` is about to run; at start-up only.

    Args:
        entries: module -> names of functions.
        roots: folders with a separator at the end; a module elsewhere is not the subject.
        on_reach: called with `module:function` when one is entered.
    """
    if "-m" not in sys.orig_argv and "runpy" not in sys.modules:
        return
    import runpy  # noqa: PLC0415 - for `-m` alone, which imports it anyway

    original = getattr(runpy, "_get_module_details", None)
    if original is None:
        return
    folders = tuple(roots)

    def get_module_details(*args: Any) -> tuple[str, Any, CodeType]:
        name, spec, code = original(*args)
        if name in entries and code.co_filename.startswith(folders):
            code = arm_code(code, name, entries[name], on_reach)
        return name, spec, code

    runpy._get_module_details = get_module_details  # type: ignore[attr-defined] # noqa: SLF001


def arm_code(
    code: CodeType, module: str, names: Iterable[str], on_reach: Callable[[str], None]
) -> CodeType:
    """The code of a module in which the named functions, at its top level, are watched."""
    wanted = frozenset(names)
    constants: list[object] = []
    for constant in code.co_consts:
        if _is_watched(constant, wanted):
            entry = f"{module}:{constant.co_name}"
            _NOTES[entry] = (constant, on_reach)
            receiver = f"{__name__}:{enter_main_function.__name__}"
            constants.append(make_trampoline(entry, constant, receiver))
        else:
            constants.append(constant)
    return code.replace(co_consts=tuple(constants))


def enter_main_function(entry: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Note that a watched function of the main module was called, and call it."""
    original, on_reach = _NOTES[entry]
    scope = sys._getframe(1).f_globals  # noqa: SLF001 - those of the function called
    function = _innermost(scope.get(entry.partition(":")[2]))
    if function is None:  # it goes by another name now
        function = FunctionType(original, scope)
    on_reach(entry)
    function.__code__ = original
    return function(*args, **kwargs)


def _is_watched(constant: object, names: frozenset[str]) -> bool:
    return (
        isinstance(constant, CodeType)
        and constant.co_name in names
        and constant.co_flags & _IS_FUNCTION == _IS_FUNCTION
        and not constant.co_freevars
        and not is_trampoline(constant)
    )


def _innermost(function: Any) -> FunctionType | None:
    """The armed function below decorators that say what they wrap, or None."""
    while function is not None:
        if isinstance(function, FunctionType) and is_trampoline(function.__code__):
            return function
        function = getattr(function, "__wrapped__", None)
    return None
