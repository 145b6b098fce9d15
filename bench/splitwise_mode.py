"""SplitwiseSim's clusters: machines that do everything, or a pool for prompts and a pool for decodes.

`token_jsq` sends a request to the machine with the fewest pending tokens. `mixed_pool` chooses a prompt machine so, and
the token machine that has set aside the fewest tokens of KV cache; the cache travels over a link that nobody shares.
Where the best prompt machine is full, a token machine is lent until it runs idle; where none is left, prompt and decode
go to whoever has the fewest pending tokens. Written from its schedulers (revision 8f99e7d); its machines are in
`splitwise_machine`.

What is NOT promised: prompt machines lent to decodes (that needs a full KV cache, which is refused) and failures.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from math import inf
from typing import Protocol

import numpy as np
from splitwise_machine import KV_BYTES, Machine, Request, Task

from foretide.policies.flow import Floats
from foretide.simulator.requests import RequestTrace

MOST_PENDING = 8192
"""A prompt machine with a queue and more pending tokens than this is full."""
LINK_BYTES_S = 200 * 2**30
"""Its `transfer_bandwidth: 200` is taken for GiB per second."""


@dataclass(frozen=True, slots=True, eq=False)
class Served:
    """Seconds, in order of arrival, shape (n,)."""

    ttft_s: Floats
    tbt_s: Floats
    """What follows the first token over all tokens, the first included: SplitwiseSim's time between tokens."""
    e2e_s: Floats


class Policy(Protocol):
    machines: Sequence[Machine]
    loans: int

    def choose(self, request: Request) -> tuple[Machine, Machine]:
        """Where its prompt and where its decode go."""
        ...

    def idle(self, machine: Machine) -> None:
        """It has nothing to do."""
        ...


class Together:
    """`token_jsq`."""

    def __init__(self, machines: Sequence[Machine]) -> None:
        self.machines = machines
        self.loans = 0

    def choose(self, request: Request) -> tuple[Machine, Machine]:  # noqa: ARG002
        machine = least_pending(self.machines)
        return machine, machine

    def idle(self, machine: Machine) -> None:
        pass


class Pools:
    """`mixed_pool`, of machines whose `pool` is `prompt` or `token`."""

    def __init__(self, machines: Sequence[Machine]) -> None:
        self.machines = machines
        self._pools = {name: [each for each in machines if each.pool == name] for name in ("prompt", "token")}
        self._lent: list[Machine] = []
        self.loans = 0

    def choose(self, request: Request) -> tuple[Machine, Machine]:
        prompts, tokens = self._pools["prompt"], self._pools["token"]
        target = min(tokens or self._lent, key=lambda each: each.kv_tokens)
        for machines in (prompts, self._lent):
            if machines and not full(least := least_pending(machines), request):
                return least, target
        if tokens:
            return self._lend(), target
        least = least_pending([*prompts, *self._lent])
        return least, least

    def idle(self, machine: Machine) -> None:
        if machine in self._lent:
            self._lent.remove(machine)
            self._pools[machine.pool].append(machine)

    def _lend(self) -> Machine:
        machine = least_pending(self._pools["token"])
        self._pools["token"].remove(machine)
        self._lent.append(machine)
        self.loans += 1
        return machine


def least_pending(machines: Sequence[Machine]) -> Machine:
    return min(machines, key=lambda each: each.pending_tokens)


def full(machine: Machine, request: Request) -> bool:
    return machine.queued and machine.pending_tokens + request.prompt > MOST_PENDING


class Cluster:
    """One run: arrivals, ends of iterations and ends of transfers, in order of time."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._events: list[tuple[float, int, Machine, Task | None]] = []
        """A task comes to a machine; without one, its iterations end unless they were cut or ended since."""
        self._number = 0
        self._decodes: dict[int, tuple[Machine, Task]] = {}
        self._sources: dict[int, Machine] = {}

    def serve(self, trace: RequestTrace) -> Served:
        """Raises ValueError where a machine would have to hold more than its KV cache."""
        columns = (trace.arrival_s.tolist(), trace.prompt_tokens.tolist(), trace.output_tokens.tolist())
        requests = [Request(index, *given) for index, given in enumerate(zip(*columns, strict=True))]
        for request in requests:
            self._run(until=request.arrival)
            self._send(request)
        self._run(until=inf)
        first, end = (np.array([getattr(request, name) for request in requests]) for name in ("first", "end"))
        arrival = trace.arrival_s
        return Served(first - arrival, (end - first) / trace.output_tokens, end - arrival)

    def _run(self, *, until: float) -> None:
        while self._events and self._events[0][0] < until:
            now, _, machine, task = heappop(self._events)
            if task is not None:
                machine.arrive(task, now)
                self._release(task.request, now)
            elif machine.ends == now:
                self._turn_over(machine, now)
            self._expect(machine)

    def _send(self, request: Request) -> None:
        source, target = self._policy.choose(request)
        source.pending_tokens += request.prompt
        target.pending_tokens += 1
        target.hold(request.prompt + request.output)
        source.arrive(Task(request, prompt=True), request.arrival)
        decode = Task(request, prompt=False)
        self._decodes[request.index] = target, decode
        if source is target:
            source.follow(decode, request.arrival)
        else:
            source.hold(request.prompt + 1)
            self._sources[request.index] = source
        self._expect(source)

    def _turn_over(self, machine: Machine, now: float) -> None:
        for task in machine.finish():
            if task.prompt:
                self._end_prompt(task.request, machine, now)
            else:
                machine.pending_tokens -= 1
                machine.kv_tokens -= task.request.prompt + task.request.output
                task.request.end = now
        machine.begin(now)
        if machine.ends == inf:
            self._policy.idle(machine)

    def _end_prompt(self, request: Request, machine: Machine, now: float) -> None:
        machine.pending_tokens -= request.prompt
        request.first = now
        target, decode = self._decodes.pop(request.index)
        if machine is target:
            machine.take_turn(decode)
        else:
            self._push(now + request.prompt * KV_BYTES / LINK_BYTES_S, target, decode)

    def _release(self, request: Request, now: float) -> None:
        """A cache has left its source; who waits there may come in."""
        source = self._sources.pop(request.index)
        source.kv_tokens -= request.prompt + 1
        if source.queued and source.ends < inf:
            source.cut(now)
            self._expect(source)

    def _expect(self, machine: Machine) -> None:
        if machine.ends < inf:
            self._push(machine.ends, machine, None)

    def _push(self, at: float, machine: Machine, task: Task | None) -> None:
        self._number += 1
        heappush(self._events, (at, self._number, machine, task))
