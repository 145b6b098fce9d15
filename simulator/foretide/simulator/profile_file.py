"""Profiles that users write or fit: a YAML or JSON file, or a folder of them, looked up before the shipped ones.

    profiles:
      - model: Llama-3.1-8B
        gpu: H100
        tp: 1
        steps: {decode_a_ms: 6.35, decode_b_ms: 0.0111, decode_c_ms: 4.11e-5,
                prefill_a_ms: 5.01, prefill_b_ms: 0.0153, prefill_c_ms: 1.18e-6}
        kv_tokens: 440593
        source: our benchmark of vLLM 0.24

Parsed once, here; what cannot be is refused with field, value and fix. What is NOT promised: that a profile is true.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, StringConstraints, ValidationError, model_validator

from foretide.simulator.hardware import most_kv_tokens
from foretide.simulator.profiles import FitErrors, FitRanges, Profile, Range, StepTimes, gpu_name, profiles, short_name
from foretide.simulator.steptime import FITTED_TO
from foretide.simulator.written import Problem, Written, problems_of

PROFILES = "FORETIDE_PROFILES"
"""Environment variable: a file or folder of profiles, where a command or a scenario names none."""
ENDINGS = (".yaml", ".yml", ".json")
SLOWEST_MS = 1e6
"""A step of a quarter of an hour: the unit is wrong."""

_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]
_Time = Annotated[float, Field(ge=0, le=SLOWEST_MS)]
_Share = Annotated[float, Field(ge=0, le=10)]
_Bounds = tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)]]

EXTRA = ("expert", "crowded")
"""How the step times begin that most models do without."""


class BadProfile(ValueError):
    """Profiles that cannot be used; one line per problem."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class _Steps(Written):
    decode_a_ms: _Time
    decode_b_ms: _Time
    decode_c_ms: _Time
    prefill_a_ms: _Time
    prefill_b_ms: _Time
    prefill_c_ms: Annotated[float, Field(ge=-SLOWEST_MS, le=SLOWEST_MS)]
    expert_d_ms: _Time = 0.0
    expert_share: Annotated[float, Field(ge=0, le=1)] = 0.0
    crowded: tuple[Annotated[int, Field(ge=1)], _Time, _Time, _Time] | None = None
    """Decodes from which on a, b, c are others, and those."""

    @model_validator(mode="after")
    def _takes_time(self) -> "_Steps":
        if self.decode_a_ms + self.decode_b_ms + self.expert_d_ms * self.expert_share <= 0:
            raise ValueError("a decode step takes 0 ms; give decode_a_ms or decode_b_ms above 0")
        if self.prefill_a_ms + self.prefill_b_ms <= 0:
            raise ValueError("a prefill takes 0 ms; give prefill_a_ms or prefill_b_ms above 0")
        if self.prefill_b_ms + 2 * self.prefill_c_ms * FITTED_TO < 0:
            fix = "raise prefill_c_ms or prefill_b_ms"
            raise ValueError(f"prefill gets faster with length before {FITTED_TO} tokens; {fix}")
        return self


class _Errors(Written):
    decode: _Share | None = None
    prefill: _Share | None = None
    ttft: _Share | None = None
    tpot: _Share | None = None


class _Ranges(Written):
    batch: _Bounds | None = None
    context: _Bounds | None = None
    prompt: _Bounds | None = None

    @model_validator(mode="after")
    def _ascend(self) -> "_Ranges":
        for name in ("batch", "context", "prompt"):
            bounds = getattr(self, name)
            if bounds is not None and bounds[0] > bounds[1]:
                raise ValueError(f"{name}: {bounds[0]:g} to {bounds[1]:g}; write the lower bound first")
        return self


class _Profile(Written):
    model: _Text
    gpu: _Text
    tp: Annotated[int, Field(ge=1, le=1024)]
    steps: _Steps
    kv_tokens: Annotated[int, Field(ge=1, le=10**12)]
    kv_source: _Text = "as its owner gave it"
    source: _Text | None = None
    date: Annotated[str, StringConstraints(max_length=40)] = ""
    errors: _Errors = _Errors()
    ranges: _Ranges | None = None

    @model_validator(mode="after")
    def _fits_into_memory(self) -> "_Profile":
        gpu = gpu_name(self.gpu)
        most = most_kv_tokens(model=short_name(self.model), gpu=gpu, tp=self.tp)
        if most is not None and self.kv_tokens > most:
            fix = f"more than the {most:,} tokens that {self.tp} x {gpu} could hold beside the weights"
            raise ValueError(f"kv_tokens: {self.kv_tokens:,}: {fix}; give the engine's own figure")
        return self


class _File(Written):
    """`source` and `ranges` here hold for every profile that gives none of its own."""

    source: _Text | None = None
    ranges: _Ranges = _Ranges()
    profiles: Annotated[list[_Profile], Field(min_length=1)]


def own_profiles(place: Path | None = None) -> tuple[Profile, ...]:
    """The profiles of a file or folder, or of `$FORETIDE_PROFILES`; () where neither is given. Raises BadProfile."""
    named = os.environ.get(PROFILES)
    place = place or (Path(named).expanduser() if named else None)
    return () if place is None else read_profiles(place)


def placed(path: str | None, places: Sequence[Path]) -> Path | None:
    """The file or folder of that name in the first of these places that has it; None where no path is given."""
    if path is None:
        return None
    return next((place / path for place in places if (place / path).exists()), places[0] / path)


def read_profiles(place: Path) -> tuple[Profile, ...]:
    """All profiles of a file, or of a folder's files in the order of their names. Raises BadProfile."""
    found: dict[tuple[str, str, int], Profile] = {}
    for path in _files(place):
        stamp = path.stat()
        for profile in _read(path, stamp.st_mtime_ns, stamp.st_size):
            key = (short_name(profile.model), profile.gpu, profile.tp)
            if key in found:
                places = f"also in {found[key].origin}" if found[key].origin != path.name else "twice"
                raise BadProfile([Problem(path.name, profile.name, f"is given {places}; keep one of the two")])
            found[key] = profile
    return tuple(found.values())


def written(found: Sequence[Profile]) -> str:
    """Profiles in the form that is read here, as YAML."""
    return yaml.safe_dump(
        {"profiles": [as_row(profile) for profile in found]}, sort_keys=False, default_flow_style=None, width=110
    )


def as_row(profile: Profile) -> dict[str, Any]:
    """The profile as plain values; what is not known is left out."""
    row = {name: value for name, value in asdict(profile).items() if name != "origin" and value != ""}
    row["steps"] = {name: value for name, value in row["steps"].items() if value or not name.startswith(EXTRA)}
    for part in ("errors", "ranges"):
        known = {name: value for name, value in row[part].items() if value is not None}
        row[part] = {name: _plain(value) for name, value in known.items()}
        if not known:
            del row[part]
    return row


def checked(profile: Profile) -> Profile:
    """The same profile, where a file could hold it. Raises BadProfile."""
    try:
        _File.model_validate({"profiles": [as_row(profile)]})
    except ValidationError as error:
        found = [replace(problem, field=problem.field.removeprefix("profiles[0].")) for problem in problems_of(error)]
        raise BadProfile(found) from error
    return profile


def _plain(value: float | Range) -> Any:
    """A range as a list, and whole numbers without a point."""
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return int(value) if float(value).is_integer() and value >= 1 else value


def _files(place: Path) -> list[Path]:
    if place.is_dir():
        files = sorted(path for path in place.iterdir() if path.suffix in ENDINGS and not path.name.startswith("."))
        if not files:
            raise BadProfile([Problem("profiles", str(place), f"no {', '.join(ENDINGS)} in this folder")])
        return files
    if not place.is_file():
        raise BadProfile([Problem("profiles", str(place), "no such file or folder; correct the path")])
    return [place]


@lru_cache(maxsize=64)
def _read(path: Path, _changed: int, _size: int) -> tuple[Profile, ...]:
    """Kept until the file changes: an operator asks at every turn."""
    raw = _raw(path)
    try:
        file = _File.model_validate(raw)
    except ValidationError as error:
        found = [replace(problem, field=f"{path.name}: {problem.field}") for problem in problems_of(error, model=_File)]
        raise BadProfile(found) from error
    return tuple(_profile(row, file, path.name) for row in file.profiles)


def _raw(path: Path) -> Mapping[str, Any]:
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadProfile([Problem("profiles", str(path), f"{error.strerror}; name a file that can be read")]) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadProfile([Problem("profiles", str(path), f"not YAML: {' '.join(str(error).split())}")]) from error
    if isinstance(raw, list):
        return {"profiles": raw}
    if not isinstance(raw, dict):
        raise BadProfile([Problem("profiles", str(path), "holds no fields; begin with `profiles:` (docs/profiles.md)")])
    return raw if "profiles" in raw else {"profiles": [raw]}


def _profile(row: _Profile, file: _File, origin: str) -> Profile:
    source = row.source or file.source
    if source is None:
        name = f"{origin}: {row.model} {row.gpu} tp {row.tp}"
        raise BadProfile([Problem(name, "", "source missing; say how and where the times were measured")])
    ranges = row.ranges or file.ranges
    return Profile(
        model=row.model.rsplit("/", 1)[-1],
        gpu=gpu_name(row.gpu, profiles()),
        tp=row.tp,
        steps=StepTimes(**row.steps.model_dump()),
        kv_tokens=row.kv_tokens,
        source=source,
        kv_source=row.kv_source,
        errors=FitErrors(**row.errors.model_dump()),
        ranges=FitRanges(**ranges.model_dump()),
        date=row.date,
        origin=origin,
    )
