"""How `foretide simulate` lays prompts and generation out over GPUs: together, in two pools, or in shares of one GPU.

Promised: an option that a layout has no use for is refused, not passed over. NOT promised: that a layout's defaults are
your hardware's; a link's rate and a GPU's shares are yours to measure.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from foretide.cli.problems import BadInput

if TYPE_CHECKING:
    from foretide.simulator.fleet import RequestOutcome
    from foretide.simulator.profiles import Deployment
    from foretide.simulator.requests import RequestTrace

LINK_GBPS = 200.0
"""InfiniBand as in Splitwise's clusters (papers.md 1.1)."""
PREFILL_SHARE, DECODE_KNEE = 0.5, 0.5


class Layout(StrEnum):
    AGGREGATED = "aggregated"
    DISAGGREGATED = "disaggregated"
    PARTITIONED = "partitioned"


BELONG = {
    Layout.AGGREGATED: ("--replicas", "--routing", "--prefix-cache", "--calibrate"),
    Layout.DISAGGREGATED: ("--prefill-replicas", "--decode-replicas", "--link-gbps", "--kv-bytes", "--prefix-cache"),
    Layout.PARTITIONED: ("--replicas", "--routing", "--prefill-share", "--decode-knee"),
}


@dataclass(frozen=True, slots=True)
class Laid:
    """A layout with its numbers; None where the option was not given."""

    layout: Layout
    replicas: int | None = None
    routing: str | None = None
    prefill_replicas: int | None = None
    decode_replicas: int | None = None
    link_gbps: float | None = None
    kv_bytes: int | None = None
    prefill_share: float | None = None
    decode_knee: float | None = None

    def check(self, *, prefix_cache: bool, calibrate: object) -> None:
        """Raises BadInput for what does not belong to the layout, and for numbers that cannot be."""
        given = {
            "--replicas": self.replicas,
            "--routing": self.routing,
            "--prefill-replicas": self.prefill_replicas,
            "--decode-replicas": self.decode_replicas,
            "--link-gbps": self.link_gbps,
            "--kv-bytes": self.kv_bytes,
            "--prefill-share": self.prefill_share,
            "--decode-knee": self.decode_knee,
            "--prefix-cache": prefix_cache or None,
            "--calibrate": calibrate,
        }
        for option, value in given.items():
            if value is not None and option not in BELONG[self.layout]:
                others = " or ".join(name for name, belong in BELONG.items() if option in belong)
                raise BadInput(field=option, value=value, fix=f"needs --layout {others}; this one is {self.layout}")
        if self.link_gbps is not None and not 0 < self.link_gbps < float("inf"):
            raise BadInput(field="--link-gbps", value=self.link_gbps, fix="give finite gigabits per second above 0")

    def serve(self, deployment: "Deployment", trace: "RequestTrace") -> "RequestOutcome":
        """The whole trace on replicas that are ready from the start. Raises ValueError for what never fits."""
        from foretide.simulator.calibrate import simulate
        from foretide.simulator.routing import DEFAULT

        if self.layout is Layout.DISAGGREGATED:
            return self._in_two_pools(deployment, trace)
        return simulate(
            deployment=self._partitioned(deployment) if self.layout is Layout.PARTITIONED else deployment,
            trace=trace,
            replicas=self.replicas or 1,
            routing=self.routing or DEFAULT,
        )

    def told(self) -> dict[str, Any]:
        """For the summary: the layout and its numbers, defaults included."""
        from foretide.simulator.routing import DEFAULT

        if self.layout is Layout.DISAGGREGATED:
            return {
                "layout": self.layout.value,
                "prefill_replicas": self.prefill_replicas or 1,
                "decode_replicas": self.decode_replicas or 1,
                "link_gbps": self.link_gbps or LINK_GBPS,
            }
        numbers: dict[str, Any] = {"layout": self.layout.value, "replicas": self.replicas or 1}
        if self.layout is Layout.PARTITIONED:
            numbers |= {"prefill_share": self._share, "decode_knee": self._knee}
        return numbers | {"routing": self.routing or DEFAULT}

    def shown(self) -> str:
        """In front of a deployment's name."""
        if self.layout is Layout.DISAGGREGATED:
            return f"{self.prefill_replicas or 1} prefill + {self.decode_replicas or 1} decode"
        return str(self.replicas or 1)

    @property
    def _share(self) -> float:
        return PREFILL_SHARE if self.prefill_share is None else self.prefill_share

    @property
    def _knee(self) -> float:
        return DECODE_KNEE if self.decode_knee is None else self.decode_knee

    def _partitioned(self, deployment: "Deployment") -> "Deployment":
        from foretide.simulator.profiles import Partition

        try:
            return replace(deployment, partition=Partition(self._share, self._knee))
        except ValueError as error:
            name, value, fix = str(error).split(": ", 2)
            raise BadInput(field=f"--{name.replace('_', '-')}", value=value, fix=fix) from error

    def _in_two_pools(self, deployment: "Deployment", trace: "RequestTrace") -> "RequestOutcome":
        from foretide.simulator.disaggregated import DisaggregatedFleet
        from foretide.simulator.starts import StartTier
        from foretide.simulator.transfer import Link

        fleet = DisaggregatedFleet(
            prefill=deployment,
            decode=replace(deployment, prefix_cache=False),
            link=Link((self.link_gbps or LINK_GBPS) / 8, self.kv_bytes or _known_bytes(deployment.profile.model)),
            trace=trace,
            prefill_replicas=self.prefill_replicas or 1,
            decode_replicas=self.decode_replicas or 1,
            cold_start=StartTier(1.0, 0.0),
            seed=0,
        )
        fleet.advance(float("inf"))
        return fleet.outcome()


def _known_bytes(model: str) -> int:
    from foretide.simulator.transfer import NoShape, kv_bytes

    try:
        return kv_bytes(model)
    except NoShape as error:
        raise BadInput(field="--kv-bytes", value="none", fix=str(error)) from error
