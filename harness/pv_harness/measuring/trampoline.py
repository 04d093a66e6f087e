"""Code that stands in for an entry point's until its first call, and looks just like it.

It has the same name, documentation and parameters: command-line libraries read these from the
function before they call it.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from types import CodeType

_FILE = "<pv: an entry point, not yet reached>"


def make_trampoline(entry: str, original: CodeType, receiver: str) -> CodeType:
    """Code that hands its arguments to `receiver(entry, args, kwargs)`, and its result back.

    Args:
        entry: the entry point, `module:function`.
        original: the code that it stands in for; it has no free variables.
        receiver: `module:function`, imported when it is called. Code that is put into a
            function keeps that function's globals, so it can't rely on any name there.
    """
    module, _, name = receiver.partition(":")
    parameters, positional, keywords = _parameters(original)
    alias = "pv_enter"
    while alias in original.co_varnames:
        alias += "_"
    source = (
        f"def trampoline({parameters}):\n"
        f"    {_documentation(original)!r}\n"
        f"    from {module} import {name} as {alias}\n"
        f"    return {alias}({entry!r}, {positional}, {keywords})\n"
    )
    scope: dict[str, Any] = {}
    exec(compile(source, _FILE, "exec"), scope)  # noqa: S102 - names of a code object, and reprs
    code: CodeType = scope["trampoline"].__code__
    return code.replace(co_name=original.co_name, co_qualname=original.co_qualname)


def is_trampoline(code: CodeType) -> bool:
    """True for code that `make_trampoline` has made."""
    return code.co_filename == _FILE


def _parameters(code: CodeType) -> tuple[str, str, str]:
    """The parameter list, and the expressions for all positional and all keyword arguments."""
    names = list(code.co_varnames)
    ordinary = names[: code.co_argcount]
    keyword_only = names[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    rest = names[code.co_argcount + code.co_kwonlyargcount :]
    listed = list(ordinary)
    if code.co_posonlyargcount:
        listed.insert(code.co_posonlyargcount, "/")
    positional, keywords = list(ordinary), [f"{k!r}: {k}" for k in keyword_only]
    if code.co_flags & inspect.CO_VARARGS:
        listed.append(f"*{rest[0]}")
        positional.append(f"*{rest.pop(0)}")
    elif keyword_only:
        listed.append("*")
    listed += keyword_only
    if code.co_flags & inspect.CO_VARKEYWORDS:
        listed.append(f"**{rest[0]}")
        keywords.append(f"**{rest[0]}")
    return ", ".join(listed), f"[{', '.join(positional)}]", f"{{{', '.join(keywords)}}}"


def _documentation(code: CodeType) -> str | None:
    """The function's docstring: its first constant, unless that is a constant of its own."""
    first = code.co_consts[0] if code.co_consts else None
    has_flag = getattr(inspect, "CO_HAS_DOCSTRING", 0)
    if has_flag and not code.co_flags & has_flag:
        return None
    return first if isinstance(first, str) else None
