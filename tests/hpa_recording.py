"""Runs many HPAs on the real controller manager at once, and reads every sync of each from the controller's own log.

The log says when a sync decided, from which count, what the metric asked for and what came of it; the adapter knows
what the metric was. Most targets have no controller of their own. Their status.replicas is written while the adapter
answers, after HPA has read the scale and before it can read it again, so that it is known exactly which one every sync
saw. Only of the Deployments among the targets is that not known at all times.
"""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
from hpa_series import Case, told
from hpa_targets import pods_of, target_of
from metrics_adapter import Told, register, serving, unregister

from foretide.cli.bed.bed import Bed
from foretide.operator.credentials import from_kubeconfig

LATELY_S = 2.0
"""Of a Deployment, a status that changed as shortly before a question may not be the one that HPA had read."""
HEAD = re.compile(r'I(\d{4} [\d:.]+) .*? horizontal\.go:\d+\] "(Proposing|Decided not|Successfully rescaled)')
SAID = re.compile(r'(scaleTarget|HPA|desiredReplicas|currentReplicas)="?([^"\s]+)"?')


@dataclass(frozen=True, slots=True)
class Question:
    """A question of one HPA, and what it was told."""

    at: float
    """Unix seconds."""
    told: Told
    status: int
    """status.replicas of its target when the question came."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the controller's log."""

    at: float
    verb: str
    said: Mapping[str, str]

    @property
    def target(self) -> tuple[str, str]:
        """(namespace, name)"""
        namespace, name = self.said.get("scaleTarget", self.said.get("HPA", "/")).split("/")[-2:]
        return namespace, name


@dataclass(frozen=True, slots=True)
class Sync:
    """One sync of one HPA."""

    at: float
    """Unix seconds at which it decided."""
    question: Question | None
    """None where the count that was found is out of bounds, so that nothing is asked."""
    current: int
    """spec.replicas of the target, as found."""
    wanted: int | None
    """What the metric asked for; None where it could not be read, or was not asked."""
    decided: int
    scaled_at: float | None = None
    """When the scale event was remembered; None where nothing was changed."""


@dataclass(slots=True)
class Recording:
    """All that was seen, by the name of the case."""

    questions: dict[str, list[Question]]
    statuses: dict[str, list[tuple[float, int]]]
    """Every status.replicas of a target with the moment at which it was seen, in order."""
    lines: dict[str, list[Line]] = field(default_factory=dict)

    def syncs(self, name: str) -> list[Sync]:
        """In order of time, but for the last one, which may not have ended, and a gap before it."""
        found = list(_syncs(self.lines.get(name, []), self.questions[name]))
        # Where there was no metric the log is silent; what was left behind is what the next sync found.
        for index in range(len(found) - 2, -1, -1):
            if found[index].current < 0:
                left = found[index + 1].current
                found[index] = replace(found[index], current=left, decided=left)
        return [sync for sync in found[:-1] if sync.current >= 0]

    def statuses_about(self, name: str, at: float) -> set[int]:
        """What a Deployment's status.replicas may have been when it was read for a question at `at`."""
        rows = self.statuses[name]
        before = [count for seen, count in rows if seen <= at - LATELY_S][-1:]
        return {*before, *(count for seen, count in rows if abs(seen - at) < LATELY_S)}


def _syncs(lines: Sequence[Line], questions: Sequence[Question]) -> Iterator[Sync]:
    pending: Question | None = None
    proposed: Line | None = None
    for event in sorted([*lines, *questions], key=lambda event: event.at):
        if isinstance(event, Question):
            if pending is not None:
                yield Sync(pending.at, pending, -1, None, -1)
            pending = event
        elif event.verb == "Proposing":
            proposed = event
        else:
            yield _ended(event, proposed, pending if proposed else None)
            pending, proposed = (None if proposed else pending), None


def _ended(line: Line, proposed: Line | None, question: Question | None) -> Sync:
    after = int(line.said["desiredReplicas"])
    current = int(line.said.get("currentReplicas", after))
    scaled_at = line.at if line.verb == "Successfully rescaled" else None
    if proposed is None:
        return Sync(line.at, None, current, None, after, scaled_at)
    return Sync(proposed.at, question, current, int(proposed.said["desiredReplicas"]), after, scaled_at)


class _Recorder:
    def __init__(self, bed: Bed, namespace: str, cases: Sequence[Case]) -> None:
        self._bed, self._namespace = bed, namespace
        self._cases = {case.name: case for case in cases}
        self._rngs = {case.name: np.random.default_rng(case.seed) for case in cases}
        self._spec = {case.name: case.begins_with for case in cases}
        self.recording = Recording({name: [] for name in self._cases}, {name: [] for name in self._cases})

    async def run(self, seconds: float, folder: Path) -> Recording:
        bed, namespace, cases = self._bed, self._namespace, self._cases.values()
        async with serving(namespace, folder, self.answer) as adapter, self._watching():
            await asyncio.to_thread(register, bed, namespace, folder, adapter.port)
            objects = [*map(target_of, cases), *(pod for case in cases for pod in pods_of(case))]
            await asyncio.to_thread(bed.apply, *objects, namespace=namespace)
            for case in cases:
                await self._put_phases(case)
                if case.kind != "Deployment":
                    await self._put_status(case, case.begins_with)
            # What was written must have reached the caches of the controllers before the first sync.
            await asyncio.sleep(2.0)
            await asyncio.to_thread(bed.apply, *(case.manifest() for case in cases), namespace=namespace)
            await asyncio.sleep(seconds)
            await asyncio.to_thread(bed.kubectl, "delete", "-n", namespace, "hpa", "--all")
        return self.recording

    async def answer(self, metric: str) -> Told:
        """What the HPA of that name is told now; meanwhile its target's status follows what was decided before."""
        case, at = self._cases[metric], time.time()
        questions, statuses = self.recording.questions[metric], self.recording.statuses[metric]
        status, turn = statuses[-1][1] if statuses else case.begins_with, len(questions)
        said = told(case.demand[turn % len(case.demand)], case=case, status=status, rng=self._rngs[metric])
        questions.append(Question(at, said, status))
        if case.kind != "Deployment":
            await self._follow(case, status, turn)
        return said

    async def _follow(self, case: Case, found: int, turn: int) -> None:
        wanted = self._spec[case.name]
        if case.lag == "slow":
            wanted = found + int(np.sign(wanted - found))
        if wanted != found and not (case.lag == "stuck" and turn % 3 == 0):
            await self._put_status(case, wanted)

    async def _put_status(self, case: Case, replicas: int) -> None:
        path = f"/api/v1/namespaces/{self._namespace}/replicationcontrollers/{case.name}/status"
        await self._patch(path, {"status": {"replicas": replicas}})
        self.recording.statuses[case.name].append((time.time(), replicas))

    async def _put_phases(self, case: Case) -> None:
        for number, phase in enumerate(case.phases):
            path = f"/api/v1/namespaces/{self._namespace}/pods/{case.name}-{number}/status"
            await self._patch(path, {"status": {"phase": phase}})

    async def _patch(self, path: str, body: Mapping[str, Any]) -> None:
        kind = {"Content-Type": "application/merge-patch+json"}
        async with self._session.patch(self._bed.plane.server + path, data=json.dumps(body), headers=kind) as response:
            assert response.status == 200, await response.text()

    @asynccontextmanager
    async def _watching(self) -> AsyncIterator[None]:
        context = from_kubeconfig(self._bed.kubeconfig).ssl_context()
        connector = aiohttp.TCPConnector(ssl=context, limit=64)
        async with (
            aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None)) as self._session,
            asyncio.TaskGroup() as tasks,
        ):
            folders = (("/api/v1", "replicationcontrollers"), ("/apis/apps/v1", "deployments"))
            watches = [tasks.create_task(self._watch(root, plural)) for root, plural in folders]
            yield
            for task in watches:
                task.cancel()

    async def _watch(self, root: str, plural: str) -> None:
        path = f"{self._bed.plane.server}{root}/namespaces/{self._namespace}/{plural}"
        async with self._session.get(path, params={"watch": "true"}) as response:
            assert response.status == 200, await response.text()
            buffer = b""
            async for chunk in response.content.iter_any():
                *lines, buffer = (buffer + chunk).split(b"\n")
                for line in lines:
                    self._note(json.loads(line)["object"])

    def _note(self, found: Mapping[str, Any]) -> None:
        name = found["metadata"]["name"]
        self._spec[name] = int(found["spec"].get("replicas", 0))
        if found["kind"] == "Deployment":
            self.recording.statuses[name].append((time.time(), int(found.get("status", {}).get("replicas", 0))))


def record(bed: Bed, namespace: str, cases: Sequence[Case], *, seconds: float, folder: Path) -> Recording:
    """`seconds` of the life of all these HPAs. Raises BedFailed, and AssertionError where the API server refuses."""
    try:
        recording = asyncio.run(_Recorder(bed, namespace, cases).run(seconds, folder))
    finally:
        unregister(bed)
        bed.kubectl("delete", "-n", namespace, "hpa,deployments,rc,pods", "--all", "--wait=false")
    recording.lines = _lines(bed.folder / "logs" / "kube-controller-manager.log", namespace)
    return recording


def _lines(log: Path, namespace: str) -> dict[str, list[Line]]:
    found: dict[str, list[Line]] = {}
    year = datetime.now().astimezone().year
    for text in log.read_text(encoding="utf-8", errors="replace").splitlines():
        head = HEAD.match(text)
        if head is None:
            continue
        at = datetime.strptime(f"{year}{head[1]}", "%Y%m%d %H:%M:%S.%f").timestamp()  # noqa: DTZ007 (local, like the log)
        line = Line(at, head[2], dict(SAID.findall(text)))
        if line.target[0] == namespace:
            found.setdefault(line.target[1], []).append(line)
    return found
