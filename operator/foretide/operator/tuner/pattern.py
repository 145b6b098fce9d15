"""Where in a text a whole number stands: literal words around one `{}`, like `max_num_seqs: {}`. No regular expression.

A pattern fits where its words stand as they are written, not as the end or the beginning of longer words, around a
number that is whole: `max_num_seqs: {}` fits neither `my_max_num_seqs: 8` nor `max_num_seqs: 8.5`.

What is NOT promised: a parser of YAML, JSON or shell. Spaces count, and so does a comment.
"""

import re
from dataclasses import dataclass

HOLE = "{}"
LONGEST = 128
_NUMBER = r"([0-9]{1,7})(?![0-9]|[.][0-9])"
_JOINS = r"[0-9A-Za-z_\-]"
"""What makes one word of what stands beside it."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """Raises ValueError with the fix."""

    text: str

    def __post_init__(self) -> None:
        if self.text.count(HOLE) != 1 or not self.text.replace(HOLE, "").strip() or len(self.text) > LONGEST:
            fix = f"write the words around the number with {{}} in its place, like 'max_num_seqs: {{}}', in {LONGEST}"
            raise ValueError(f"{self.text[:LONGEST]!r} shows no number; {fix} characters")

    def places(self, text: str) -> list[tuple[int, int]]:
        """(start, end) of each number that it fits."""
        return [found.span(1) for found in self._compiled().finditer(text)]

    def __str__(self) -> str:
        return repr(self.text)

    def _compiled(self) -> re.Pattern[str]:
        before, after = self.text.split(HOLE)
        begins = f"(?<!{_JOINS})" if not before or re.match(_JOINS, before) else ""
        ends = f"(?!{_JOINS})" if not after or re.search(f"{_JOINS}$", after) else ""
        return re.compile(f"{begins}{re.escape(before)}{_NUMBER}{re.escape(after)}{ends}")
