"""Decisions in words, for people."""

from foretide.policies.flow import Act, Decision, Pool


def explain(decision: Decision, pool: Pool) -> str:
    """One or two sentences: what is done, why, and what would otherwise have been asked for."""
    verdict = decision.verdict
    first, *others = verdict.reasons
    if isinstance(verdict, Act):
        head = f"{pool.name}: {verdict.order.before} -> {verdict.order.after} replicas ({first.code.value})"
    else:
        head = f"{pool.name}: holds {verdict.replicas} replicas ({first.code.value})"
    tail = "; ".join(reason.text for reason in others if reason.text)
    return f"{head}: {first.text}" + (f". {tail[0].upper()}{tail[1:]}" if tail else "")
