"""The fleet's table."""

from page_shown import fleet, shown

from foretide.operator.page.fleet import count_of, fleet_page
from foretide.operator.page.record import Counts
from foretide.operator.page.view import PER_PAGE


async def test_an_empty_cluster_is_told_what_to_do() -> None:
    found = shown()
    await found.round()
    page = fleet_page(found.window.operator(), found.window.fleet(), words="")
    assert "No InferenceAutoscaler exists yet" in page
    assert "<table" not in page


async def test_each_target_has_a_row_with_its_reason_and_risk() -> None:
    found = await fleet()
    page = fleet_page(found.window.operator(), found.window.fleet(), words="")
    assert page.count('role="row"') == 7
    assert 'href="/target/prod/llama"' in page
    assert "InvalidSpec" in page
    assert page.count('class="wrong"') == 2


async def test_what_was_asked_for_stays_in_the_field_and_in_the_links_and_is_escaped() -> None:
    found = shown()
    for index in range(PER_PAGE + 1):
        found.world.deploy(f"t{index:03d}", replicas=1)
    words = 't "><script>'
    page = fleet_page(found.window.operator(), found.window.fleet(words="t"), words=words)
    assert "<script>" not in page
    assert 'value="t &quot;&gt;&lt;script&gt;"' in page
    assert "/?q=t+%22%3E%3Cscript%3E&amp;page=2" in page


def test_counts_say_what_is_not_as_it_should_be() -> None:
    assert count_of(Counts(3, 3, 3, 0, 0), 16) == "3 of 16"
    assert count_of(Counts(3, 5, 2, 1, 1), 16) == "3 → 5 of 16, 1 starting, 1 without a node"
    assert count_of(None, 16) == "–"
