"""What a replay found, as the story that the report tells.

The figures take `PolicyRun` as it is; there is no shape of runs beside it.
"""

from typing import TYPE_CHECKING

from foretide.cli.report import Story

if TYPE_CHECKING:
    from foretide.simulator.replay import Replay
    from foretide.simulator.scenario import Scenario


def story_of(*, scenario: "Scenario", found: "Replay", again: str) -> Story:
    names = [run.policy for run in found.runs]
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    lead = (
        f"{listed} on the same {len(found.bench.trace):,} requests, with the same cold starts, drawn once. "
        f"Scenario: {scenario.name}."
    )
    return Story(
        title=f"Foretide replay: {scenario.name}",
        lead=lead,
        bench=found.bench,
        runs=found.runs,
        summary=found.summary,
        again=again,
    )
