"""What the shield remembers: regimes that do not flap, and a record that survives a restart."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.policies.concurrency.evidence import Evidence
from foretide.policies.concurrency.limit_rule import Lengths
from foretide.policies.concurrency.standing import OCTAVES, Record, Rest, Standing, Trial, distance, regime_of

CHAT = Record(regime="1000/200", standings={"1000/200": Standing(adopted=2), "6000/200": Standing()})
TOKENS = st.floats(1.0, 50_000.0)


def test_the_first_lengths_name_the_first_regime() -> None:
    assert regime_of(Lengths(1155.4, 211.2), Record()) == "1155/211"


def test_a_regime_is_kept_until_lengths_are_an_octave_away() -> None:
    assert regime_of(Lengths(1990.0, 105.0), CHAT) == "1000/200"
    assert regime_of(Lengths(2100.0, 200.0), CHAT) == "2100/200"


def test_a_regime_that_was_met_before_is_met_again() -> None:
    assert regime_of(Lengths(4000.0, 180.0), CHAT) == "6000/200"


def test_the_distance_is_that_of_prompt_or_output_whichever_is_further() -> None:
    assert distance(Lengths(2000.0, 50.0), "1000/200") == pytest.approx(2.0)


@given(prompt=TOKENS, output=TOKENS)
def test_lengths_are_always_within_reach_of_their_regime(prompt: float, output: float) -> None:
    lengths = Lengths(prompt, output)
    # a name is whole tokens, which at 1.5 tokens is up to half an octave off
    assert distance(lengths, regime_of(lengths, CHAT)) <= max(OCTAVES, 0.6)


def test_a_record_survives_json() -> None:
    record = Record(
        window=7,
        allowance=0.05,
        regime="1000/200",
        trial=Trial(3, 2, Evidence((0.1, 0.2, 0.3), 2, 0.4, -0.01)),
        standings={"1000/200": Standing(2, Evidence().after(goodput=1.0, attainment=0.0), {-3: Rest(9, 2)})},
    )
    assert Record.of(json.loads(json.dumps(record.state()))) == record
    assert Record.of(json.loads(json.dumps(Record().state()))) == Record()
