"""One request on its way through replicas: what it asks for, and how far it has come."""

from math import inf

from foretide.simulator.requests import BLOCK_TOKENS


class Job:
    """`prompt` and `output` are tokens, `arrival` and `first` (its first token) seconds."""

    __slots__ = (
        "arrival",
        "blocks",
        "computed",
        "first",
        "generated",
        "hash_tokens",
        "index",
        "joined",
        "output",
        "prompt",
        "target",
    )

    def __init__(  # noqa: PLR0917 (made once for each request; by name it takes twice as long)
        self,
        index: int,
        arrival: float,
        prompt: int,
        output: int,
        blocks: tuple[int, ...] = (),
        hash_tokens: int = BLOCK_TOKENS,
    ) -> None:
        self.index = index
        self.arrival = arrival
        self.prompt = prompt
        self.output = output
        self.blocks = blocks
        """Hash ids of its leading blocks of `hash_tokens` tokens each; none where nothing is known."""
        self.hash_tokens = hash_tokens
        self.computed = 0
        """Tokens of the prompt (and, after a preemption, of the output so far) that are in the cache."""
        self.generated = 0
        self.first = inf
        self.joined = 0
        """Decode-step counter when it began to decode."""
        self.target = 0
        """Tokens to compute before the next output token appears."""

    def again(self, arrival: float) -> "Job":
        """The same request, sent once more."""
        return Job(self.index, arrival, self.prompt, self.output, self.blocks, self.hash_tokens)
