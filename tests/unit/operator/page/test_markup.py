"""What a user names can never become markup."""

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from foretide.operator.page.markup import Markup, joined, tag


class Found(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@given(st.text(st.characters(exclude_categories=("Cs", "Cc"))))
def test_any_text_comes_back_as_that_text_and_makes_no_element(text: str) -> None:
    found = Found()
    found.feed(tag("p", text, title=text))
    found.close()
    assert found.tags == [("p", {"title": text})]
    assert found.text == text


def test_markup_is_not_escaped_again_and_none_is_nothing() -> None:
    assert tag("p", None, tag("b", "x"), " & ", 1.5) == "<p><b>x</b> &amp; 1.5</p>"
    assert joined() == ""
    assert isinstance(joined("<"), Markup)


def test_attributes_lose_their_underscores_and_void_elements_are_not_closed() -> None:
    assert tag("a", "x", class_="c", aria_label="l", href=None) == '<a class="c" aria-label="l">x</a>'
    assert tag("meta", charset="utf-8") == '<meta charset="utf-8">'
