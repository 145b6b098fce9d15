"""Every page says how old it is and whose word it is."""

from dataclasses import replace

from foretide.operator.page.frame import document, message
from foretide.operator.page.view import Operator

OPERATOR = Operator("me", "1.0", leads=True, rounds=3, round_age_s=12.0, plan_s=60.0, stale=False)


def test_the_age_of_the_last_round_stands_on_it() -> None:
    page = document("Fleet", OPERATOR)
    assert '<span data-age="12">12 s ago</span>' in page
    assert page.startswith("<!doctype html>")
    assert "stands by" not in page


def test_before_the_first_round_it_says_so() -> None:
    assert "No round has finished yet" in document("Fleet", replace(OPERATOR, round_age_s=None))


def test_a_stale_page_warns() -> None:
    page = document("Fleet", replace(OPERATOR, round_age_s=400.0, stale=True))
    assert "Stale: no round has finished for 7 min" in page
    assert 'class="warning" role="alert"' in page


def test_a_standby_says_that_another_writes() -> None:
    assert "me stands by: another operator leads" in document("Fleet", replace(OPERATOR, leads=False))


def test_a_message_leads_back() -> None:
    assert 'href="/"' in message("Not found", "There is no <b>")
    assert "&lt;b&gt;" in message("Not found", "There is no <b>")
