"""The release workflow, as far as it can be judged without running it."""

import importlib.util
import re
import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / ".github" / "workflows" / "release.yaml").read_text()
JOBS: dict[str, Any] = yaml.safe_load(TEXT)["jobs"]


def test_every_action_is_pinned_to_a_commit_and_tells_its_version() -> None:
    used = re.findall(r"uses: (.*)", TEXT)
    assert used
    for action in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


def test_nothing_may_be_written_but_by_the_job_that_writes_it() -> None:
    assert yaml.safe_load(TEXT)["permissions"] == {"contents": "read"}
    assert "permissions" not in JOBS["check"]
    assert JOBS["image"]["permissions"] == {"contents": "read", "packages": "write", "id-token": "write"}


@pytest.mark.parametrize("name", JOBS)
def test_no_expression_stands_inside_a_script(name: str) -> None:
    """What a tag or a branch is called would else be run by the shell."""
    assert not [step for step in JOBS[name]["steps"] if "${{" in step.get("run", "")]


def test_the_images_are_targets_of_the_containerfile() -> None:
    targets = re.findall(r"^FROM \S+ AS (\S+)$", (ROOT / "Containerfile").read_text(), re.MULTILINE)
    built = [each["target"] for each in JOBS["image"]["strategy"]["matrix"]["include"]]
    assert set(built) <= set(targets)
    assert targets[-1] == "operator"


def test_the_image_compiles_what_it_is_for() -> None:
    """The names in it can be imported: the build of the image fails where one cannot."""
    (script,) = re.findall(r"python (containers/\w+\.py)", (ROOT / "Containerfile").read_text())
    needed = runpy.run_path(str(ROOT / script))["NEEDED"]
    assert {"foretide.operator.serve", "foretide.operator.page.serve", "foretide.cli.forecast_serve"} <= set(needed)
    assert not [name for name in needed if importlib.util.find_spec(name) is None]
