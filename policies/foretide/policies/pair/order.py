"""What one turn may change of two pools: capacity comes before it goes, one pool falls at a time, zero is for both.

Prefill falls first: what it has handed over still has its decode replicas. Where the ratio forbids that, decode falls
first; where it forbids either alone, both fall in one order, as they do to zero.
"""

from foretide.policies.pair.setting import Counts, Ratio


def next_counts(now: Counts, wanted: Counts, *, ready: Counts, ratio: Ratio) -> Counts:
    """From `now` towards `wanted`, as far as one turn may go; between the two in both pools."""
    if wanted.prefill > now.prefill or wanted.decode > now.decode:
        return Counts(max(now.prefill, wanted.prefill), max(now.decode, wanted.decode))
    if ready.prefill < now.prefill or ready.decode < now.decode:
        return now
    if wanted == Counts(0, 0):
        return wanted
    return _fallen(now, wanted, ratio)


def _fallen(now: Counts, wanted: Counts, ratio: Ratio) -> Counts:
    """One pool as far down as the ratio lets it, the other as it is."""
    if now == wanted:
        return now
    alone = [Counts(count, now.decode) for count in range(wanted.prefill, now.prefill)]
    alone += [Counts(now.prefill, count) for count in range(wanted.decode, now.decode)]
    if not ratio.allows(now):  # on the way back into the ratio every step towards it is right
        return alone[0] if alone else wanted
    return next((counts for counts in alone if ratio.allows(counts)), wanted)


def together(before: Counts, after: Counts) -> Counts:
    """`after`, unless one pool would be at zero alone: then that one keeps or gets nothing that the other lacks."""
    if (after.prefill == 0) == (after.decode == 0):
        return after
    if before == Counts(0, 0):
        return before
    return Counts(max(after.prefill, min(1, before.prefill)), max(after.decode, min(1, before.decode)))
