"""Writes docs/bad-input.md from the catalogue: `PYTHONPATH=tests python tests/bad_input/page.py`."""

from pathlib import Path

from bad_input.catalogue import CASES, Case

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "bad-input.md"
HEAD = """\
# Bad input

Written by `python tests/bad_input/page.py` from [the catalogue](../tests/bad_input/catalogue.py); a test holds that
this page is what the catalogue says and that every test it names exists. Never a crash, and never a replica less:
{count} inputs, of which {differ} meet something else than was asked for (**bold**), and {none} have no test, because
nobody can write them here.

| no. | input | expected | what happens | shown by |
|---|---|---|---|---|
"""
FUZZED = """
## Damaged input

`make fuzz FUZZ=N` feeds each reader N inputs, sound ones that were damaged and others without any sense
([tests/fuzz](../tests/fuzz)): never an exception but the reader's own problem in one line, never a number that is not
finite. `make unit` runs a hundred of each. Traces and series: 12,000 inputs each without a finding since the last one
that was mended; resources: 30,000; answers of Prometheus: 1,500, after some 24,000 that found a time too large for a
number; cards, graphs and scenarios: 2,000. The aim of a million has not been run.
No program here reads metrics in exposition format; Prometheus does.
"""


def page() -> str:
    head = HEAD.format(
        count=len(CASES),
        differ=sum(case.differs for case in CASES),
        none=sum(not case.tests for case in CASES),
    )
    return head + "\n".join(map(_row, CASES)) + "\n" + FUZZED


def _row(case: Case) -> str:
    found = f"**{case.found}**" if case.differs else case.found
    cells = (case.number, case.given, case.expected, found, ", ".join(map(_link, case.tests)) or "-")
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def _link(test: str) -> str:
    path, _, name = test.partition("::")
    return f"[{name.partition('[')[0]}](../tests/{path})"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
