"""Problems with the line that each is about, a caret, the cause and the remedy.

contracts/a.yaml:4:10: PV010 version is 1.0; it should be of the form ...
  |
4 | version: 1.0
  |          ^
  = cause: Another type, an unknown word, an empty text or a name of another form.
  = remedy: Write what the message asks for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pv_harness.board.excerpt import excerpt
from pv_harness.board.lines import Painter, wrap
from pv_harness.board.phrases import Tone
from pv_harness.contracts.rule_codes import RULE_CODES
from pv_harness.documents.problem import Severity


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pv_harness.documents.problem import Problem

    ReadLines = Callable[[str], Sequence[str]]
    """From the name of a file, as problems have it, to its lines; none where it has gone."""


def render_explained(
    problems: Iterable[Problem], read_lines: ReadLines, *, width: int, color: bool = False
) -> str:
    """Each problem with its source and its rule, a blank line behind each; empty without any.

    The source is left out where the file can't be shown; `pv rules PVnnn` says more of a rule.
    """
    painter = Painter(color=color)
    blocks = ("\n".join(_block(p, read_lines(p.path), width, painter)) for p in problems)
    return "".join(f"{block}\n\n" for block in blocks)


def _block(
    problem: Problem, lines: Sequence[str], width: int, painter: Painter
) -> Iterator[str]:
    tone = Tone.BAD if problem.severity is Severity.ERROR else Tone.OPEN
    # The line stays what it is without --explain, so that whatever reads it still can.
    yield painter.paint(str(problem), tone)
    margin = " " * len(str(problem.line))
    if problem.line <= len(lines):
        shown = excerpt(lines[problem.line - 1], problem.column, width - len(margin) - 3)
        bar = painter.paint(f"{margin} |", "dim")
        yield bar
        yield f"{painter.paint(f'{problem.line} |', 'dim')} {shown.text}".rstrip()
        yield f"{bar} {' ' * shown.indent}{painter.paint('^' * shown.length, tone)}"
    known = RULE_CODES.get(problem.code)
    if known is not None:
        for word, text in (("cause", known.cause), ("remedy", known.remedy)):
            yield from wrap(text, width, f"{margin} = {word}: ")
