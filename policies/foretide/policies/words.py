"""Decisions in words, for people."""

from foretide.policies.flow import Act, Decision, Pool, ServiceModel


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


def how_fast(service: ServiceModel) -> str:
    """One clause: how fast the replicas are, as learned; empty where nothing was."""
    if not service.observed:
        return ""
    factor, low, high = service.speed()
    return (
        f"replicas take {factor:.2f} times as long as the profile says (90 %: {low:.2f} to {high:.2f}), "
        f"seen {service.observed} times"
    )
