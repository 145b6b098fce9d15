"""What a bed that stays leaves on disk, so that a later command finds its processes again.

Promised: `resume` gives a Bed that can be used and stopped, or None where there is none. NOT promised: that all its
processes still live; ask `Process.alive`.
"""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from foretide.cli.bed.bed import Bed
from foretide.cli.bed.plane import Plane
from foretide.cli.bed.processes import BedFailed, Process
from foretide.cli.bed.prometheus import Prometheus
from foretide.cli.bed.traffic import Twin

RECORD = "bed.json"
MARK = ".foretide-bed"
"""A file that says: this folder is a bed's, and may be emptied."""


def home(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the bed of `foretide dev` lives: FORETIDE_HOME, or a folder here."""
    given = environment.get("FORETIDE_HOME")
    return Path(given).absolute() if given else Path.cwd() / ".foretide" / "bed"


def emptied(folder: Path) -> Path:
    """The folder, with nothing in it. Raises BedFailed for one that has something in it which is no bed's."""
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).exists():
        raise BedFailed(f"{folder} has files in it that are no bed's: set FORETIDE_HOME to an empty folder")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / MARK).touch()
    return folder


def remember(bed: Bed) -> None:
    """Writes down what `resume` needs."""
    record = {
        "programs": {name: str(path) for name, path in bed.programs.items()},
        "port": bed.plane.port,
        "nodes": bed.nodes,
        "plane": [_written(process) for process in bed.plane.processes],
        "prometheus": {
            "port": bed.prometheus.port,
            "scrape_s": bed.prometheus.scrape_s,
            "jobs": bed.prometheus.jobs,
            "process": _written(bed.prometheus.process) if bed.prometheus.process else None,
        },
        "twins": [
            {"process": _written(twin.process), "port": twin.port, "job": twin.job, "record": str(twin.record)}
            for twin in bed.twins
        ],
    }
    (bed.folder / RECORD).write_text(json.dumps(record, indent=1), encoding="utf-8")


def resume(folder: Path) -> Bed | None:
    """The bed that lives in `folder`. Raises BedFailed when its record cannot be read."""
    path = folder / RECORD
    if not path.exists():
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return _resumed(folder, record)
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as problem:
        raise BedFailed(f"{path} cannot be read ({problem}); remove {folder} once its processes are gone") from problem


def _resumed(folder: Path, record: Mapping[str, Any]) -> Bed:
    found = {name: Path(path) for name, path in record["programs"].items()}
    processes = tuple(_read(process) for process in record["plane"])
    kept = record["prometheus"]
    prometheus = Prometheus(
        found["prometheus"], folder, scrape_s=kept["scrape_s"], attached=False, port=kept["port"], jobs=kept["jobs"]
    )
    prometheus.process = _read(kept["process"]) if kept["process"] else None
    twins = [Twin(_read(one["process"]), one["port"], one["job"], Path(one["record"])) for one in record["twins"]]
    return Bed(
        folder=folder,
        plane=Plane(folder, record["port"], folder / "admin.kubeconfig", processes),
        prometheus=prometheus,
        programs=found,
        attached=False,
        passing=False,
        nodes=record["nodes"],
        twins=twins,
    )


def _written(process: Process) -> dict[str, Any]:
    return asdict(process) | {"log": str(process.log)}


def _read(written: Mapping[str, Any]) -> Process:
    return Process(**(dict(written) | {"log": Path(written["log"])}))
