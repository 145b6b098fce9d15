from pathlib import Path

import pytest

from foretide.cli.bed.bed import Bed
from foretide.cli.bed.plane import Plane
from foretide.cli.bed.processes import BedFailed, Process
from foretide.cli.bed.prometheus import Prometheus
from foretide.cli.bed.state import emptied, home, remember, resume
from foretide.cli.bed.traffic import Twin


def made_bed(folder: Path) -> Bed:
    def process(name: str) -> Process:
        return Process(name, pid=2**22 + 1, born=1, log=folder / "logs" / f"{name}.log")

    return Bed(
        folder=folder,
        plane=Plane(folder, 20001, folder / "admin.kubeconfig", (process("etcd"), process("kwok"))),
        prometheus=Prometheus(
            Path("/programs/prometheus"),
            folder,
            scrape_s=5.0,
            attached=False,
            port=20002,
            process=process("prometheus"),
        ),
        programs={"kubectl": Path("/programs/kubectl"), "prometheus": Path("/programs/prometheus")},
        attached=False,
        passing=False,
        nodes=3,
        twins=[Twin(process("twin-0"), 20003, "twin-0", folder / "twin-0.jsonl")],
    )


def test_a_bed_is_found_again_as_it_was(tmp_path: Path) -> None:
    bed = made_bed(tmp_path)
    bed.prometheus.jobs["twin-0"] = "http://127.0.0.1:20003/targets"
    remember(bed)
    assert resume(tmp_path) == bed


def test_where_nothing_is_nothing_is_found(tmp_path: Path) -> None:
    assert resume(tmp_path) is None


@pytest.mark.parametrize("record", ["", "[]", "{}", '{"programs": 1}'])
def test_a_broken_record_is_named_with_the_way_out(tmp_path: Path, record: str) -> None:
    (tmp_path / "bed.json").write_text(record)
    with pytest.raises(BedFailed, match=r"bed\.json cannot be read .*; remove"):
        resume(tmp_path)


def test_a_folder_with_somebodys_files_is_never_emptied(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("")
    with pytest.raises(BedFailed, match="FORETIDE_HOME"):
        emptied(tmp_path)
    assert precious.exists()


def test_what_an_earlier_bed_left_is_removed(tmp_path: Path) -> None:
    (emptied(tmp_path / "bed") / "etcd").mkdir()
    assert [path.name for path in emptied(tmp_path / "bed").iterdir()] == [".foretide-bed"]


def test_home_is_what_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert home({}) == tmp_path / ".foretide" / "bed"
    assert home({"FORETIDE_HOME": "elsewhere"}) == tmp_path / "elsewhere"
