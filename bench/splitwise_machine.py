"""One machine of SplitwiseSim, iteration by iteration: whole prompts, no chunks, decodes that step aside for prompts.

Written from what its instances do (github.com/Mutinifni/splitwise-sim, revision 8f99e7d), so that the same requests can
be sent through both. An iteration takes 2048 tokens (a prompt has all of its own, a decode one) and 512 tasks;
its first task may exceed the tokens. They are taken in this order, each class ending at the first that does not fit:

1. whoever waits at the head of the queue and was passed over 4 times, 2. prompts, 3. decodes that had to step aside,
4. decodes of the iteration before, 5. everybody else by arrival.

Decodes alone go on in iterations of the same length until one of them ends, or somebody comes who could join them.

What is NOT promised: a full KV cache. It is refused; none of the published rows comes near it.
"""

from bisect import insort
from dataclasses import dataclass, field
from math import inf

from foretide.simulator.lookup import Timed

MOST_TOKENS, MOST_TASKS, MOST_PASSED = 2048, 512, 4
KV_BYTES = 2 * 80 * 8192 * 2
"""Per token of Llama2-70B as SplitwiseSim has it: 80 layers, 8192 wide, no grouped queries, fp16."""
KV_TOKENS = (8 * 80 * 2**30 - 135_000_000_000) // KV_BYTES
"""Eight GPUs of 80 GiB without the weights."""


@dataclass(slots=True, eq=False)
class Request:
    index: int
    arrival: float
    prompt: int
    output: int
    first: float = inf
    end: float = inf


@dataclass(slots=True, eq=False)
class Task:
    """A prompt, or the decode of all tokens but the first."""

    request: Request
    prompt: bool
    passed: int = 0
    """Iterations that began without it while it was its request's turn."""
    done: int = 0
    """Iterations."""

    @property
    def tokens(self) -> int:
        return self.request.prompt if self.prompt else 1

    @property
    def left(self) -> int:
        return (1 if self.prompt else self.request.output - 1) - self.done

    @property
    def context(self) -> int:
        """Tokens in the cache, of a decode."""
        return self.request.prompt + 1 + self.done


def by_arrival(task: Task) -> float:
    return task.request.arrival


def by_turn(task: Task) -> tuple[int, float]:
    return task.passed, task.request.arrival


@dataclass(slots=True, eq=False)
class Machine:
    """Drive it with `arrive` and, when it is time for `ends`, `finish` and `begin`."""

    times: Timed
    pool: str
    pending_tokens: int = 0
    """The prompts that are not done, and one for each decode."""
    kv_tokens: int = 0
    """Set aside for requests that were sent here."""
    ends: float = inf
    prompt_s: float = 0.0
    """Time in iterations with a prompt."""
    decode_s: float = 0.0
    """Time in iterations without."""
    most_context: int = 0
    """Most tokens of context that one iteration without a prompt had."""
    _batch: list[Task] = field(default_factory=list)
    _waiting: list[Task] = field(default_factory=list)
    _prompts: list[Task] = field(default_factory=list)
    _aside: list[Task] = field(default_factory=list)
    _next: list[Task] = field(default_factory=list)
    """The task whose turn it is, of every request that is here, by arrival."""
    _begun: float = 0.0
    _each: float = 0.0
    _runs: int = 0

    @property
    def queued(self) -> bool:
        return bool(self._waiting)

    def hold(self, tokens: int) -> None:
        """Sets cache aside. Raises ValueError where there is no more."""
        self.kv_tokens += tokens
        if self.kv_tokens > KV_TOKENS:
            raise ValueError(f"kv_tokens: {self.kv_tokens} on a machine of {KV_TOKENS}: add machines or thin the load")

    def arrive(self, task: Task, now: float) -> None:
        """A prompt, or a decode whose cache has come over a link."""
        self.take_turn(task)
        self._wait(task)
        if self.ends == inf:
            self.begin(now)
        elif task.tokens <= MOST_TOKENS:
            self.cut(now)

    def follow(self, task: Task, now: float) -> None:
        """A decode waits in the queue from its request's arrival on, but has its turn after its prompt."""
        self._wait(task)
        self.cut(now)

    def take_turn(self, task: Task) -> None:
        insort(self._next, task, key=by_arrival)

    def cut(self, now: float) -> None:
        """Decodes alone go on no longer than the iteration under way, unless nobody could join them."""
        if any(task.prompt for task in self._batch) or len(self._batch) == MOST_TASKS:
            return
        self._runs = min(self._runs, int((now - self._begun) // self._each) + 1)
        self.ends = self._begun + self._each * self._runs

    def finish(self) -> list[Task]:
        """Ends the iterations under way; what is complete leaves and is returned."""
        took = self.ends - self._begun
        if any(task.prompt for task in self._batch):
            self.prompt_s += took
        else:
            self.decode_s += took
        for task in self._batch:
            task.done += self._runs
        complete = [task for task in self._batch if task.left <= 0]
        self._batch = [task for task in self._batch if task.left > 0]
        for task in complete:
            self._next.remove(task)
        self.ends = inf
        return complete

    def begin(self, now: float) -> None:
        """The next iterations, if there is anything to do."""
        self._change_to(self._selected())
        if not self._batch:
            return
        decodes = [task for task in self._batch if not task.prompt]
        context = sum(task.context for task in decodes)
        tokens = sum(task.tokens for task in self._batch if task.prompt)
        self._begun = now
        self._each = self.times.iteration_s(prompt_tokens=tokens, decodes=len(decodes), context=context)
        self._runs = 1 if tokens else min(task.left for task in decodes)
        self.most_context = self.most_context if tokens else max(self.most_context, context)
        self.ends = now + self._each * self._runs

    def _wait(self, task: Task) -> None:
        insort(self._waiting, task, key=by_turn)
        if task.prompt:
            self._prompts.append(task)

    def _selected(self) -> list[Task]:
        chosen: list[Task] = []
        inside: set[int] = set()
        tokens = 0
        for group in (self._passed_over(), self._prompts, self._aside, self._batch, self._next):
            for task in group:
                if task.request.index in inside:
                    continue
                if len(chosen) == MOST_TASKS or (chosen and tokens + task.tokens > MOST_TOKENS):
                    break
                chosen.append(task)
                inside.add(task.request.index)
                tokens += task.tokens
        return chosen

    def _passed_over(self) -> list[Task]:
        first = next((place for place, task in enumerate(self._waiting) if task.passed < MOST_PASSED), None)
        return self._waiting[:first]

    def _change_to(self, chosen: list[Task]) -> None:
        before, after = {id(task) for task in self._batch}, {id(task) for task in chosen}
        for task in self._batch:
            if id(task) not in after:
                self._wait(task)
                self._aside.append(task)
        come = [task for task in chosen if id(task) not in before]
        for task in come:
            for queue in (self._waiting, self._prompts, self._aside):
                if task in queue:
                    queue.remove(task)
        self._batch = [task for task in self._batch if id(task) in after] + come
        for task in self._next:
            if id(task) not in after:
                task.passed += 1
