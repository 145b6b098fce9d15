"""What every page has: its head, who speaks, how old it is, and what to do where there is nothing."""

from foretide.operator.page.markup import Content, Markup, joined, tag
from foretide.operator.page.view import Operator
from foretide.operator.page.words import age, ago


def document(title: str, operator: Operator, *content: Content) -> str:
    """A whole page."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{title} · Foretide"),
        tag("link", rel="icon", href="/icon.svg", type="image/svg+xml"),
        tag("link", rel="stylesheet", href="/page.css"),
        tag("script", src="/page.js", defer=""),
    )
    main = tag("main", *_state(operator), *content, id="main")
    body = tag("body", tag("p", "", id="lost", role="alert", hidden=""), main, _foot(operator))
    return f"<!doctype html>{tag('html', head, body, lang='en')}"


def _state(operator: Operator) -> list[Markup]:
    """How old this is and whose word it is. A warning is read out by a screen reader, a mere age is not."""
    if operator.round_age_s is None:
        first = "No round has finished yet. The first one reads up to a day of history; look again in a minute."
        return [tag("p", first, class_="warning", role="status"), *_whose(operator)]
    told = tag(
        "p", "Last round ", ago(operator.round_age_s), f", one is due every {age(operator.plan_s)}.", class_="age"
    )
    if operator.stale:
        old = f"Stale: no round has finished for {age(operator.round_age_s)}. Replicas stay as they are; see the log."
        return [tag("p", old, class_="warning", role="alert"), told, *_whose(operator)]
    return [told, *_whose(operator)]


def _whose(operator: Operator) -> list[Markup]:
    if operator.leads:
        return []
    text = f"{operator.identity} stands by: another operator leads and writes. This is what it would do."
    return [tag("p", text, class_="note", role="status")]


def _foot(operator: Operator) -> Markup:
    text = f"Foretide {operator.version} · {operator.identity} · read-only; this page changes nothing"
    return tag("footer", tag("p", text))


def message(title: str, text: str) -> Markup:
    """Instead of content."""
    return joined(tag("h1", title), tag("p", text), tag("p", tag("a", "All targets", href="/")))
