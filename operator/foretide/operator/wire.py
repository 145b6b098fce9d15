"""Bounded HTTP: a body is read up to a limit and no further, whatever its headers say."""

import json
from typing import Any

import aiohttp


class TooLarge(ValueError):
    """A body larger than we are willing to read."""


async def bounded_body(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """The body. Raises TooLarge beyond `limit` bytes."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(65536):
        body += chunk
        if len(body) > limit:
            raise TooLarge(f"answer is larger than {limit} bytes")
    return bytes(body)


def parsed(body: bytes) -> Any:
    """The JSON value, or None for anything that is not JSON, however deep it is nested."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
