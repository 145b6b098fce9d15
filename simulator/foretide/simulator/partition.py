"""One GPU, two streams: a share of it computes prompts while the rest generates, on one KV cache (semi-PD's layout).

Nothing is transferred and no weights are held twice; what one stream has of the GPU the other has not. With a share x
for prompts, a prefill takes 1 / x of its time alone, a decode step 1 / min(1, (1 - x) / knee): decoding is bound by
memory, so that a `knee` of the GPU's processors already reads at full speed.

That form is our modelling assumption and no measurement; take the knee from your own GPU. What is NOT promised: shares
that move with the load, the streams' contention for memory bandwidth, or prefix reuse.
"""

from dataclasses import replace
from math import inf

from foretide.simulator.job import Job
from foretide.simulator.kvcache import in_blocks
from foretide.simulator.profiles import Deployment
from foretide.simulator.replica import Replica
from foretide.simulator.roles import DecodeReplica, PrefillReplica


class _Prompts(PrefillReplica):
    __slots__ = ("beside",)

    def __init__(self, deployment: Deployment) -> None:
        super().__init__(deployment)
        self.beside = 0
        """Requests that generate in the same memory."""

    @property
    def _expected(self) -> int:
        return self.running + len(self.handed) + self.beside


class _Tokens(DecodeReplica):
    __slots__ = ("beside",)

    def __init__(self, deployment: Deployment) -> None:
        super().__init__(deployment)
        self.beside = 0
        """Requests whose prompts are computed in the same memory."""

    @property
    def _expected(self) -> int:
        return super()._expected + self.beside


class PartitionedReplica(Replica):
    """To a fleet, a replica like any other. Raises ValueError for a deployment without a partition, or with a cache of
    prefixes.
    """

    __slots__ = ("_decode", "_prefill")

    def __init__(self, deployment: Deployment) -> None:
        super().__init__(deployment)
        if deployment.partition is None:
            raise ValueError("partition: none: give the share of the GPU that computes prompts")
        if deployment.prefix_cache:
            raise ValueError("prefix_cache: True: is not simulated on a partitioned GPU; switch it off")
        share, knee = deployment.partition.prefill_share, deployment.partition.decode_knee
        factor = deployment.speed_factor
        self._prefill = _Prompts(replace(deployment, speed_factor=factor / share))
        self._decode = _Tokens(replace(deployment, speed_factor=factor / min(1.0, (1.0 - share) / knee)))
        self.waiting = self._prefill.waiting
        self._prefill.done = self._decode.done = self.done

    @property
    def jobs(self) -> list[Job]:
        return [*self._prefill.jobs, *self._decode.jobs]

    @property
    def running(self) -> int:
        return self._prefill.running + self._decode.running

    @property
    def outstanding(self) -> int:
        return self._prefill.outstanding + self._decode.outstanding

    @property
    def kv_used(self) -> int:
        return self._prefill.kv_used + self._decode.kv_used

    def submit(self, job: Job, now: float) -> None:
        """A request arrives; its prompt joins the prefill stream."""
        self._divide(now, job)
        self._prefill.submit(job, now)
        self._settle(now)

    def respeed(self, factor: float, now: float) -> None:
        """Every step of either stream after the one under way takes `factor` times as long."""
        for stream in (self._prefill, self._decode):
            stream.respeed(factor, now)
        self.next_event = min(self._prefill.next_event, self._decode.next_event)

    def admit_at_most(self, limit: int, now: float) -> None:  # noqa: ARG002 (it takes none at any time)
        """Raises ValueError: two streams share one limit here, which is not simulated at run time."""
        raise ValueError(f"limit: {limit}: cannot change on a partitioned GPU; give max_num_seqs instead")

    def proceed(self) -> None:
        """Carries out what ends at `next_event` in one of the streams, and begins what comes next there."""
        now, ended = self.next_event, len(self.done)
        self._divide(now, self.waiting[0] if self.waiting else None)
        if self._prefill.next_event <= self._decode.next_event:
            self._prefill.proceed()
        else:
            self._decode.proceed()
        self._settle(now)
        self.prefill_s = self._prefill.prefill_s
        for job, _ in self.done[ended:]:
            self.finished += 1
            self.prompt_tokens += job.prompt
            self.output_tokens += job.output

    def _divide(self, now: float, first: Job | None) -> None:
        """Memory goes to whom it was given; a prompt gets none that the decode steps under way will need."""
        prefill, decode, room = self._prefill, self._decode, self.kv_tokens
        if first is not None:
            needed = in_blocks(first.prompt + first.generated, self._block)
            if prefill.kv_used + decode.kv_planned + needed > room:
                decode.cut(now)
        prefill.kv_tokens = room - decode.kv_planned
        decode.kv_tokens = room - prefill.kv_used
        prefill.beside, decode.beside = decode.outstanding, prefill.running

    def _settle(self, now: float) -> None:
        """Prompts that are done generate, preempted requests are prompts again, and freed memory is seen."""
        prefill, decode = self._prefill, self._decode
        handed, prefill.handed = prefill.handed, []
        for job in handed:
            prefill.give_up(job)
            decode.kv_tokens = self.kv_tokens - prefill.kv_used
            decode.expect(job)
            decode.join(job, now)
        while decode.waiting:
            self.waiting.appendleft(decode.waiting.pop())
        if self.waiting and prefill.next_event == inf:
            self._divide(now, self.waiting[0])
            prefill.look(now)
        self.next_event = min(prefill.next_event, decode.next_event)


def replica_of(deployment: Deployment) -> Replica:
    """The replica that a deployment describes."""
    return Replica(deployment) if deployment.partition is None else PartitionedReplica(deployment)
