"""The gateway's page as the operator's own preset reads it."""

import re

from foretide.cli.bed.twin_gateway import Passed, gateway_page
from foretide.operator.engines.epp import EPP


def test_every_number_stands_under_a_name_that_the_preset_asks_for() -> None:
    page = gateway_page(Passed(3, 5, 100, 1000, 200), model="llama").decode()
    told = {name: float(value) for name, value in re.findall(r"^(\w+)\{.*\} (\S+)$", page, re.MULTILINE)}
    asked = set(EPP.names(("running", "waiting", "finished", "prompt_tokens", "output_tokens")))
    assert set(told) <= asked
    assert told["llm_d_epp_request_running"] == 5.0
    assert told["llm_d_epp_flow_control_queue_size"] == 3.0
    assert told["llm_d_epp_request_duration_seconds_count"] == 100.0
    assert told["llm_d_epp_request_input_tokens_sum"] == 1000.0
    assert told["llm_d_epp_request_output_tokens_sum"] == 200.0
