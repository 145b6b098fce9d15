"""One engine at mean lengths: what a step takes, what it carries within mean targets, and how far along it is.

The step times of papers.md 3.1, max(a + b n + c C, a' + b' (p + n) + c' p P + c C), in the use that Dynamo's planner
makes of its own performance model (core/perf_model/agg.py): a batch of n decodes at the mean context, with the prefill
tokens that keep it going, p = n ISL / OSL; requests/s = n / (OSL x step).

What is NOT promised: percentiles, bursts, or mixed lengths. Means go in and means come out, as in the original.
"""

from dataclasses import dataclass
from math import inf

from foretide.policies.flow import Objective
from foretide.simulator.fleet import PodCounters
from foretide.simulator.profiles import Deployment


@dataclass(frozen=True, slots=True)
class Lengths:
    """Mean tokens per request."""

    prompt: float
    output: float

    @property
    def context(self) -> float:
        """Mean tokens of a decoding request in the KV cache."""
        return self.prompt + self.output / 2


@dataclass(frozen=True, slots=True)
class Limits:
    """Mean TTFT and ITL in seconds; infinite where nothing was promised."""

    ttft_s: float = inf
    itl_s: float = inf

    @classmethod
    def of(cls, objective: Objective, *, scale: float = 1.0) -> "Limits":
        """The thresholds of a promise, taken as means, times `scale`."""
        ttft, itl = objective.ttft, objective.tpot
        return cls(scale * ttft.threshold_s if ttft else inf, scale * itl.threshold_s if itl else inf)


@dataclass(frozen=True, slots=True)
class Engine:
    deployment: Deployment

    @property
    def kv_tokens(self) -> float:
        return float(self.deployment.kv_tokens or self.deployment.profile.kv_tokens)

    def step_s(self, *, decodes: float, context: float, prefill: float, prompt: float) -> float:
        """Seconds of a step with `context` tokens over all decodes and `prefill` tokens of prompts of one length."""
        steps, speed = self.deployment.profile.steps, self.deployment.speed_factor / 1000.0
        read = steps.decode_c_ms * context
        decode = steps.decode_a_ms + steps.decode_b_ms * decodes + read + steps.experts_ms(round(decodes))
        if prefill <= 0:
            return decode * speed
        mixed = steps.prefill_a_ms + steps.prefill_b_ms * (prefill + decodes) + steps.prefill_c_ms * prefill * prompt
        return max(decode, mixed + read) * speed

    def largest_rate(self, lengths: Lengths, limits: Limits) -> float:
        """Requests/s at the largest batch within both targets; that of a batch of 1 where even that is not."""
        best = 0.0
        for batch in range(1, self._largest_batch(lengths) + 1):
            prefill = min(batch * lengths.prompt / max(1.0, lengths.output), float(self.deployment.chunk))
            context = batch * lengths.context
            step = self.step_s(decodes=batch, context=context, prefill=prefill, prompt=lengths.prompt)
            ttft = self._prefill_s(prefill + lengths.prompt, lengths, decodes=batch, context=context)
            if best and (step > limits.itl_s or ttft > limits.ttft_s):
                break
            best = max(best, batch / (max(1.0, lengths.output) * step))
            if step > limits.itl_s or ttft > limits.ttft_s:
                break
        return best

    def ttft_s(self, pod: PodCounters, lengths: Lengths, *, times: float = 1.0) -> float:
        """TTFT of a request that comes now, with the queue and what runs `times` as large."""
        queued = times * pod.waiting * lengths.prompt
        context = times * pod.kv_usage * self.kv_tokens
        return self._prefill_s(queued + lengths.prompt, lengths, decodes=times * pod.running, context=context)

    def itl_s(self, pod: PodCounters, lengths: Lengths, *, times: float = 1.0, queued: float = 0.0) -> float:
        """Seconds of the next steps, with what runs `times` as large and the prefill beside it as it is.

        `queued` tokens of prompts are taken to be in the KV cache already.
        """
        context = times * (pod.kv_usage * self.kv_tokens + queued) + lengths.context
        prefill = min(pod.running * lengths.prompt / max(1.0, lengths.output), float(self.deployment.chunk))
        return self.step_s(decodes=times * pod.running, context=context, prefill=prefill, prompt=lengths.prompt)

    def bears(self, pod: PodCounters, lengths: Lengths, more: tuple[float, float], limits: Limits) -> bool:
        """Whether it keeps within a share of the targets with some times its load: `more` is (times, share)."""
        times, share = more
        queued = pod.waiting * lengths.prompt
        held = times * (pod.kv_usage * self.kv_tokens + queued)
        if held >= self.kv_tokens or self.itl_s(pod, lengths, times=times, queued=queued) >= share * limits.itl_s:
            return False
        context = times * pod.kv_usage * self.kv_tokens
        own = self._prefill_s(lengths.prompt, lengths, decodes=times * pod.running, context=context)
        return self.ttft_s(pod, lengths, times=times) - own < share * (limits.ttft_s - own)

    def _largest_batch(self, lengths: Lengths) -> int:
        """As far as sequences, KV cache and the balance of prefill and decode go."""
        chunk = self.deployment.chunk
        balanced = lengths.output * chunk / (lengths.prompt + lengths.output)
        return max(1, int(min(self.deployment.max_num_seqs, self.kv_tokens / lengths.context, balanced, chunk - 1)))

    def _prefill_s(self, tokens: float, lengths: Lengths, *, decodes: float, context: float) -> float:
        """Seconds until `tokens` are prefilled, a chunk per step, next to the decodes."""
        chunk = float(self.deployment.chunk)
        whole, rest = divmod(tokens, chunk)
        sizes = [(whole, chunk), (float(rest > 0), rest)]
        return sum(
            count * self.step_s(decodes=decodes, context=context, prefill=size, prompt=lengths.prompt)
            for count, size in sizes
            if count
        )
