"""Hierarchical attention: first over the resolutions of one indicator, then over indicators of its level and below.

A token stands for one indicator at one resolution. Forbidden pairs get -inf before the softmax, so they take no share
of it at all; so do tokens of resolutions of which nothing was measured. Each indicator's state token is always there.

What is NOT promised: that attention across indicators earns anything. The ablation table says whether it does.
"""

import torch
from torch import Tensor, nn

HEADS = 4


def masks(levels: tuple[int, ...], tokens: int) -> tuple[Tensor, Tensor]:
    """Who may look at whom, (N * tokens, N * tokens) booleans, query first: within an indicator; by level."""
    owner = torch.arange(len(levels)).repeat_interleave(tokens)
    level = torch.tensor(levels).repeat_interleave(tokens)
    return owner[:, None] == owner[None, :], level[:, None] >= level[None, :]


class Block(nn.Module):
    """One pre-norm layer of attention and feed-forward."""

    def __init__(self, width: int, allowed: Tensor, *, dropout: float) -> None:
        super().__init__()
        self.before = nn.LayerNorm(width)
        self.mixed = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.between = nn.LayerNorm(width)
        self.feed = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(2 * width, width)
        )
        self.dropout = nn.Dropout(dropout)
        wall = torch.zeros(allowed.shape).masked_fill(~allowed, float("-inf"))
        self.register_buffer("wall", wall, persistent=False)

    def forward(self, tokens: Tensor, absent: Tensor) -> Tensor:
        """Tokens (B, T, width), absent (B, T): 0 or -inf added to a key's score."""
        tokens = tokens + self.dropout(self._attended(self.before(tokens), absent))
        out: Tensor = tokens + self.dropout(self.feed(self.between(tokens)))
        return out

    def _attended(self, tokens: Tensor, absent: Tensor) -> Tensor:
        width = tokens.shape[-1]
        query, key, value = (_heads(part) for part in self.mixed(tokens).split(width, dim=-1))
        scores = query @ key.transpose(-1, -2) * (width // HEADS) ** -0.5
        shares = torch.softmax(scores + self.wall + absent[:, None, None, :], dim=-1)
        joined = (shares @ value).transpose(1, 2).flatten(2)
        out: Tensor = self.out(joined)
        return out


def _heads(tokens: Tensor) -> Tensor:
    """(B, T, width) -> (B, HEADS, T, width / HEADS)."""
    return tokens.unflatten(-1, (HEADS, -1)).transpose(1, 2)
