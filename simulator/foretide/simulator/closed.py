"""A closed loop: so many clients, each of which sends its next request when its last one has ended.

This is how serving benchmarks load an engine (`--max-concurrency`), and so what their figures have to be compared with.
What is NOT promised: think time, or more than one replica.
"""

from heapq import heappop, heappush
from math import inf

import numpy as np

from foretide.policies.flow import frozen
from foretide.simulator.fleet import RequestOutcome
from foretide.simulator.profiles import Deployment
from foretide.simulator.replica import Job, Replica
from foretide.simulator.requests import Tokens


def serve_closed(
    *, deployment: Deployment, clients: int, prompt_tokens: Tokens, output_tokens: Tokens
) -> RequestOutcome:
    """What became of the requests, in the order given, shape (n,); a request arrives when its client sends it.

    Raises ValueError without clients, for lengths that do not pair, and for a request that never fits.
    """
    _refuse(deployment, clients=clients, prompt_tokens=prompt_tokens, output_tokens=output_tokens)
    count, overhead = len(prompt_tokens), deployment.http_overhead_s
    sent_s, first_s, end_s = (np.empty(count) for _ in range(3))
    replica, sent = Replica(deployment), 0
    calls = [0.0] * min(clients, count)
    left = count - len(calls)
    while calls or replica.next_event < inf:
        if calls and calls[0] < replica.next_event:
            now = heappop(calls)
            sent_s[sent] = now
            replica.submit(Job(sent, now, int(prompt_tokens[sent]), int(output_tokens[sent])), now)
            sent += 1
            continue
        replica.proceed()
        for job, end in replica.done:
            first_s[job.index], end_s[job.index] = job.first, end
            if left > 0:
                heappush(calls, end + overhead)
                left -= 1
        replica.done.clear()
    later = np.asarray(output_tokens, dtype=np.float64) - 1.0
    return RequestOutcome(
        arrival_s=frozen(sent_s),
        ttft_s=frozen(first_s - sent_s + overhead),
        tpot_s=frozen(np.where(later > 0, (end_s - first_s) / np.maximum(later, 1.0), np.nan)),
        e2e_s=frozen(end_s - sent_s + overhead),
        cold_started=np.zeros(count, dtype=np.bool_),
    )


def benchmark_lengths(*, tokens: int, count: int, least_share: float, rng: np.random.Generator) -> Tokens:
    """Uniform whole numbers from `least_share` x `tokens` up to `tokens`, as vLLM's `--random-range-ratio` draws."""
    return rng.integers(max(1, int(tokens * least_share)), tokens + 1, count)


def _refuse(deployment: Deployment, *, clients: int, prompt_tokens: Tokens, output_tokens: Tokens) -> None:
    if clients < 1:
        raise ValueError(f"clients: {clients}: a closed loop needs at least 1")
    if len(prompt_tokens) != len(output_tokens):
        raise ValueError(f"output_tokens: {len(output_tokens)} rows: give one for each of {len(prompt_tokens)} prompts")
    room = deployment.room
    longest = int(np.max(prompt_tokens + output_tokens, initial=0))
    if longest > room:
        raise ValueError(f"kv_tokens: {room}: a request of {longest} tokens never fits; raise it or drop the request")
