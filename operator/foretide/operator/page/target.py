"""One target: what stands, what is foreseen, the risk of one replica fewer and one more, and the last decisions."""

from collections.abc import Mapping
from typing import Any

from foretide.operator.page.fan import described, fan_chart, fan_table
from foretide.operator.page.fleet import count_of, why_of
from foretide.operator.page.frame import document
from foretide.operator.page.markup import Content, Markup, joined, tag
from foretide.operator.page.record import Told
from foretide.operator.page.view import Detail, Fan, Operator, Row
from foretide.operator.page.words import DASH, ago, moment, rate, risk

BAR = 120.0


def target_page(operator: Operator, detail: Detail) -> str:
    row = detail.row
    name = f"{row.namespace}/{row.name}"
    newest = detail.decisions[0] if detail.decisions else None
    return document(
        name,
        operator,
        tag("p", tag("a", "All targets", href="/")),
        tag("h1", name),
        _facts(row, newest),
        *_foreseen(detail.fan, name, newest),
        *_risks(newest),
        *_decisions(detail.decisions),
        *_changes(detail.changes),
        *_scorecard(detail.scorecard),
    )


def _facts(row: Row, newest: Told | None) -> Markup:
    counts = newest.counts if newest else None
    facts: tuple[tuple[str, Content], ...] = (
        ("Model", row.model or DASH),
        ("Mode", row.mode or DASH),
        ("Replicas", count_of(counts, row.max_replicas)),
        ("Ready", DASH if counts is None else str(counts.ready)),
        ("Demand", rate(row.demand_rps)),
        ("Metrics", newest.trust if newest and newest.trust else DASH),
        ("Risk at this count", risk(row.risk)),
        ("Bound by", newest.binding if newest and newest.binding else DASH),
        ("Why", why_of(row)),
        ("Decided", ago(row.age_s)),
    )
    return tag("dl", *(joined(tag("dt", name), tag("dd", told)) for name, told in facts))


def _foreseen(fan: Fan | None, name: str, newest: Told | None) -> list[Markup]:
    if fan is None:
        return [tag("h2", "Forecast"), tag("p", "No demand was read yet.", class_="empty")]
    parts = [tag("h2", "Forecast"), tag("figure", fan_chart(fan, name=name, lead_s=newest.lead_s if newest else None))]
    parts.append(tag("p", described(fan), " ", _score(fan), class_="note"))
    if fan.flagged:
        parts.append(tag("p", f"A fallback: {fan.flagged}", class_="warning"))
    if fan.levels:
        parts.append(tag("details", tag("summary", "In figures"), fan_table(fan)))
    return parts


def _score(fan: Fan) -> str:
    if not fan.levels:
        return ""
    legend = f"Light: 90 %, darker: 50 %, line: median; mostly from {fan.model}."
    if fan.crps_rps is None or fan.skill is None:
        return f"{legend} Not scored yet."
    score = f"CRPS {fan.crps_rps:.3g} req/s over {fan.origins} forecasts, skill {fan.skill:.2f} against the last value."
    return f"{legend} {score}"


def _risks(newest: Told | None) -> list[Markup]:
    if newest is None or not newest.risks:
        return []
    rows = (
        tag("tr", tag("th", str(count), scope="row"), tag("td", risk(chance)), tag("td", _bar(chance)))
        for count, chance in newest.risks
    )
    heads = (tag("th", head, scope="col") for head in ("Replicas", "P(promise breaks)", ""))
    table = tag("table", tag("thead", tag("tr", *heads)), tag("tbody", *rows), class_="figures")
    return [tag("h2", "Risk"), tag("p", "Of each count, within the horizon of the decision.", class_="note"), table]


def _bar(chance: float) -> Markup:
    full = tag("rect", class_="grid", width=BAR, height=10.0)
    part = tag("rect", class_="risk", width=BAR * min(1.0, max(0.0, chance)), height=10.0)
    return tag("svg", full, part, viewBox=f"0 0 {BAR:g} 10", class_="bar", aria_hidden="true")


def _decisions(decisions: tuple[Told, ...]) -> list[Markup]:
    if not decisions:
        return [tag("h2", "Decisions"), tag("p", "None yet.", class_="empty")]
    rows = []
    for told in decisions:
        lasts = joined(moment(told.since)) if told.since == told.until else joined("since ", moment(told.since))
        text = joined(tag("strong", told.reason), tag("strong", " (acted)") if told.acted else None, " ", told.text)
        rows.append(tag("li", tag("p", lasts, class_="note"), tag("p", text)))
    title = "Decisions since this operator began, newest first"
    return [tag("h2", "Decisions"), tag("p", title, class_="note"), tag("ol", *rows, class_="decisions")]


def _changes(changes: tuple[Mapping[str, Any], ...]) -> list[Markup]:
    if not changes:
        return []
    rows = (
        tag(
            "li",
            f"{each.get('time', '')}: {each.get('from', DASH)} → {each.get('to', DASH)} ({each.get('reason', '')})",
        )
        for each in changes
    )
    return [tag("h2", "Changes of the count"), tag("ol", *rows)]


def _scorecard(card: Mapping[str, Any] | None) -> list[Markup]:
    """Estimates, said to be such: GPU-hours and kept windows of what ran and of what Foretide would have run."""
    if card is None:
        return []
    heads = tag("tr", *(tag("th", head, scope="col") for head in ("", "GPU-hours", "Windows kept")))
    rows = []
    for who, name in (("present", "what ran"), ("foretide", "Foretide")):
        kept = card[who].get("promiseKept")
        cells = (card[who]["gpuHours"], DASH if kept is None else f"{100 * float(kept):.2f} %")
        rows.append(tag("tr", tag("th", name, scope="row"), *(tag("td", cell) for cell in cells)))
    note = f"An estimate over {card['hours']} hours of judged windows."
    table = tag("table", tag("thead", heads), tag("tbody", *rows), class_="figures")
    return [tag("h2", "Scorecard"), tag("p", note, class_="note"), table]
