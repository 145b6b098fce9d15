"""The fleet as a table: one row per target, what needs a look first. On a phone each row is a card."""

from urllib.parse import quote, urlencode

from foretide.operator.page.frame import document
from foretide.operator.page.markup import Content, Markup, joined, tag
from foretide.operator.page.record import Counts
from foretide.operator.page.view import Fleet, Operator, Row
from foretide.operator.page.words import DASH, ago, rate, risk

HEADS = ("Target", "Mode", "Replicas", "Demand", "Risk", "Why", "Decided")
NOTHING = (
    "No InferenceAutoscaler exists yet. Apply one, and it appears here within a minute; it begins in mode Recommend."
)


def fleet_page(operator: Operator, fleet: Fleet, *, words: str) -> str:
    if not fleet.total:
        return document("Fleet", operator, tag("h1", "Fleet"), tag("p", NOTHING, class_="empty"))
    many = "target" if fleet.found == 1 else "targets"
    told = f"{fleet.found} {many}" + (f" of {fleet.total} match" if words else "")
    return document("Fleet", operator, tag("h1", f"Fleet: {told}"), _search(words), _table(fleet), _pages(fleet, words))


def target_path(row: Row) -> str:
    return f"/target/{quote(row.namespace, safe='')}/{quote(row.name, safe='')}"


def count_of(counts: Counts | None, most: int | None) -> str:
    """`3 → 5 of 16`, and what is not as it should be."""
    if counts is None:
        return DASH
    told = f"{counts.live}" if counts.live == counts.desired else f"{counts.live} → {counts.desired}"
    odd = ((counts.starting, "starting"), (counts.unschedulable, "without a node"))
    return told + (f" of {most}" if most is not None else "") + "".join(f", {n} {what}" for n, what in odd if n)


def why_of(row: Row) -> Markup:
    if row.problems:
        return joined(tag("strong", "InvalidSpec"), " ", "; ".join(row.problems))
    if row.decided is None:
        return joined("no decision yet")
    return joined(tag("strong", row.decided.reason), " ", tag("span", row.decided.text, class_="text"))


def _search(words: str) -> Markup:
    return tag(
        "form",
        tag("label", "Find by name, namespace, model, mode or reason", for_="q"),
        tag("input", id="q", name="q", type="search", value=words, maxlength="100"),
        tag("button", "Find", type="submit"),
        method="get",
        action="/",
        role="search",
    )


def _table(fleet: Fleet) -> Markup:
    # Roles are named, because a table that a style sheet lays out as cards is none any more to a screen reader.
    heads = (tag("th", head, scope="col", role="columnheader") for head in HEADS)
    head = tag("thead", tag("tr", *heads, role="row"), role="rowgroup")
    body = tag("tbody", *map(_row, fleet.rows), role="rowgroup")
    return tag("table", head, body, role="table", class_="fleet")


def _row(row: Row) -> Markup:
    name = tag("a", f"{row.namespace}/{row.name}", href=target_path(row))
    ahead = None if row.expected_p95_rps is None else tag("small", f"p95 ahead {rate(row.expected_p95_rps)}")
    demand = joined(rate(row.demand_rps), ahead)
    counts = row.decided.counts if row.decided else None
    cells: tuple[Content, ...] = (
        joined(name, tag("small", row.model)), row.mode or DASH, count_of(counts, row.max_replicas), demand,
        risk(row.risk), why_of(row), ago(row.age_s),
    )  # fmt: skip
    wrong = bool(row.problems) or (row.decided is not None and (counts is None or row.decided.trust != "Fresh"))
    told = (tag("td", cell, role="cell", data_head=head) for head, cell in zip(HEADS, cells, strict=True))
    return tag("tr", *told, role="row", class_="wrong" if wrong else None)


def _pages(fleet: Fleet, words: str) -> Markup:
    if fleet.pages == 1:
        return joined()

    def link(text: str, page: int) -> Markup | None:
        if not 1 <= page <= fleet.pages:
            return None
        return tag("a", text, href=f"/?{urlencode({'q': words, 'page': page})}")

    here = tag("span", f"page {fleet.page} of {fleet.pages}")
    return tag("nav", link("previous", fleet.page - 1), here, link("next", fleet.page + 1), aria_label="Pages")
