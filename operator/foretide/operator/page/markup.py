"""HTML and SVG that escape by construction: a plain string is text, and only what `tag` made is markup.

What is NOT promised: that an attribute's value is a safe address. Links are built from parts that were quoted.
"""

from html import escape


class Markup(str):
    """Text that is already HTML."""

    __slots__ = ()


Content = str | float | None
VOID = frozenset({"meta", "link", "input"})


def tag(name: str, /, *children: Content, **attributes: Content) -> Markup:
    """An element. None is no child, and no attribute; `class_` and `aria_label` lose their underscores."""
    given = (
        f' {key.rstrip("_").replace("_", "-")}="{escape(_text(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    opened = f"<{name}{''.join(given)}>"
    return Markup(opened if name in VOID else f"{opened}{joined(*children)}</{name}>")


def joined(*children: Content) -> Markup:
    """Children beside each other."""
    return Markup("".join(child if isinstance(child, Markup) else escape(_text(child)) for child in children))


def _text(value: Content) -> str:
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)
