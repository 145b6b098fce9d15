"""For mkdocs: links that leave docs/ lead into the repository, of which the site has no address; they become text.

Promised: such a link to a file that is not there fails the build, like every other broken one.
"""

import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError

ROOT = Path(__file__).parents[2]
# A bracket behind a backslash is text: the reference shows regular expressions.
LINK = re.compile(r"(?<![!\\])\[([^\]]+)\]\((?!https?:|#)([^)#\s]+)(#[^)\s]*)?\)")


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    folder = (ROOT / "docs" / page.file.src_uri).parent
    return LINK.sub(lambda found: _kept_or_plain(found, folder), markdown)


def _kept_or_plain(found: re.Match[str], folder: Path) -> str:
    path = (folder / found[2]).resolve()
    on_the_site = path.is_relative_to(ROOT / "docs") and path.suffix in {".md", ".png"}
    if on_the_site:
        return found[0]
    if not path.exists():
        raise PluginError(f"{folder}: a link to {found[2]}, which is not there")
    return f"{found[1]} (`{path.relative_to(ROOT)}`)"
