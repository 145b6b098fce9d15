"""docs/benchmarks/validation.md and its like, one section per benchmark; each benchmark rewrites its own."""

from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs/benchmarks/validation.md"
HEAD = """# The simulator against measured engines

Each section is written by the benchmark that it names, from one run: measured and simulated figures stand side by side.
Simulated errors are simulated minus measured, over measured.
"""


def write_section(name: str, lines: list[str], *, path: Path = PAGE, head: str = HEAD) -> None:
    """Replaces the section between this name's marks, or adds it at the end; other sections stay as they are."""
    begin, end = f"<!-- {name} begins -->", f"<!-- {name} ends -->"
    section = "\n".join([begin, *lines, end])
    page = path.read_text(encoding="utf-8") if path.exists() else head
    if begin in page:
        before, rest = page.split(begin, 1)
        page = before + section + rest.split(end, 1)[1]
    else:
        page = f"{page.rstrip()}\n\n{section}\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
