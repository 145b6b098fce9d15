import sys
from pathlib import Path

import pytest

from foretide.cli.bed import binaries
from foretide.cli.bed.binaries import BinaryMissing, Module, programs


def program(folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of modules that were built, by a Go that only writes empty programs."""
    built: list[str] = []

    def build(module: Module, *, cache: Path, watching: binaries.Watching) -> None:
        with watching(module):
            built.append(module.name)
            for name in module.programs:
                program(cache / f"{module.name}-{module.digest}", name)

    monkeypatch.setattr(binaries, "_build", build)
    return built


def test_a_missing_program_is_named_with_the_two_ways_out(tmp_path: Path) -> None:
    with pytest.raises(BinaryMissing) as refused:
        programs(["kube-apiserver"], build=False, environment={"FORETIDE_CACHE": str(tmp_path)})
    said = str(refused.value)
    assert said.startswith("control plane binary kube-apiserver: missing: ")
    assert "foretide dev build" in said
    assert "KUBEBUILDER_ASSETS" in said
    assert "\n" not in said


def test_assets_come_before_the_cache_and_the_rest_is_built(tmp_path: Path, builds: list[str]) -> None:
    own = program(tmp_path / "assets", "etcd")
    environment = {"FORETIDE_CACHE": str(tmp_path / "cache"), "KUBEBUILDER_ASSETS": str(tmp_path / "assets")}
    found = programs(["etcd", "kubectl", "kube-scheduler"], build=True, environment=environment)
    assert found["etcd"] == own
    assert found["kubectl"].parent == found["kube-scheduler"].parent
    assert builds == ["kubernetes"]


def test_what_was_built_once_is_not_built_again(tmp_path: Path, builds: list[str]) -> None:
    environment = {"FORETIDE_CACHE": str(tmp_path)}
    first = programs(build=True, environment=environment)
    assert programs(build=True, environment=environment) == first
    assert sorted(builds) == ["etcd", "kubernetes", "kwok", "prometheus"]


def test_a_tool_is_built_when_it_is_asked_for(tmp_path: Path, builds: list[str]) -> None:
    programs(binaries.TOOLS, build=True, environment={"FORETIDE_CACHE": str(tmp_path)})
    assert builds == ["helm"]
    programs(binaries.EVERYTHING, build=True, environment={"FORETIDE_CACHE": str(tmp_path)})
    assert set(builds) == {module.name for module in binaries.SHIPPED}


def test_a_file_that_cannot_be_run_is_no_program(tmp_path: Path) -> None:
    program(tmp_path, "etcd").chmod(0o644)
    environment = {"FORETIDE_CACHE": str(tmp_path / "cache"), "KUBEBUILDER_ASSETS": str(tmp_path)}
    with pytest.raises(BinaryMissing):
        programs(["etcd"], build=False, environment=environment)


def test_other_flags_are_another_place_in_the_cache() -> None:
    module = binaries.SHIPPED[0]
    assert module.digest == Module(module.name, module.programs).digest
    assert module.digest != Module(module.name, module.programs, linker="").digest


def test_a_failed_build_leaves_nothing_in_the_cache_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = program(tmp_path / "bin", "go")
    go.write_text("#!/bin/sh\necho 'no such module' >&2\nexit 1\n")
    monkeypatch.setattr(binaries, "_go", lambda _: go)
    cache = tmp_path / "cache"
    with pytest.raises(BinaryMissing, match="no such module"):
        programs(["etcd"], build=True, environment={"FORETIDE_CACHE": str(cache)})
    assert [path.name for path in cache.iterdir()] == ["lock"]


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BinaryMissing, match="FORETIDE_CACHE"):
        programs(["etcd"], build=True, environment={"FORETIDE_CACHE": str(tmp_path / "file")})


def test_without_any_go_the_ways_out_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(BinaryMissing, match="go: missing") as refused:
        programs(["etcd"], build=True, environment={"FORETIDE_CACHE": str(tmp_path / "cache")})
    said = str(refused.value)
    assert "install Go 1.26 or newer, or set KUBEBUILDER_ASSETS" in said
    assert "\n" not in said


def test_an_extra_is_built_on_request_alone_under_names_that_say_whose_it_is(tmp_path: Path, builds: list[str]) -> None:
    keda = binaries.EXTRAS["keda"]
    found = programs((*binaries.EVERYTHING, *keda.programs), build=True, environment={"FORETIDE_CACHE": str(tmp_path)})
    assert builds[-1] == "keda"
    assert {"keda-operator", "keda-adapter"} <= set(found)
    assert not set(keda.programs) & {*binaries.PROGRAMS, *binaries.EVERYTHING}


def test_what_lies_beside_the_programs_is_kept_with_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a Go that writes empty programs under the names of their packages, and has one module."""
    module = tmp_path / "module" / "config" / "crd" / "bases"
    program(module, "one.yaml")
    module.chmod(0o555)
    go = program(tmp_path / "bin", "go")
    go.write_text(
        f'#!/bin/sh\nif [ "$1" = list ]; then echo {tmp_path / "module"}; exit; fi\n'
        'while [ "$1" != -o ]; do shift; done\n'
        'for name in operator adapter; do : > "$2$name"; chmod +x "$2$name"; done\n'
    )
    monkeypatch.setattr(binaries, "_go", lambda _: go)
    names = binaries.EXTRAS["keda"].programs
    found = programs(names, build=True, environment={"FORETIDE_CACHE": str(tmp_path / "cache")})
    home = found["keda-operator"].parent
    assert sorted(path.name for path in home.iterdir()) == ["bases", "keda-adapter", "keda-operator"]
    assert [path.name for path in (home / "bases").iterdir()] == ["one.yaml"]
