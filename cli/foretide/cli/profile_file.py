"""Writes a profile to the file that a command names, as YAML or JSON by its ending."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from foretide.cli.problems import BadInput

if TYPE_CHECKING:
    from foretide.simulator.profiles import Profile


def write_profile(profile: "Profile", out: Path, *, head: str) -> None:
    """`head` becomes a comment of a YAML file. Raises BadInput."""
    from foretide.simulator.profile_file import ENDINGS, as_row, written

    if out.suffix not in ENDINGS:
        raise BadInput(field="--out", value=out, fix=f"name a file that ends in {', '.join(ENDINGS)}")
    if out.suffix == ".json":
        text = json.dumps({"profiles": [as_row(profile)]}, indent=2) + "\n"
    else:
        text = f"# {head}\n{written([profile])}"
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInput(field="--out", value=out, fix=f"{error.strerror}; name a file that can be written") from error
