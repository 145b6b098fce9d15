"""Pictures of the web page for the documentation: PYTHONPATH=tests python tests/browser/screenshots.py FOLDER.

The fleet is a simulated one, on the shipped loop and the shipped ladder.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from aiohttp.test_utils import TestServer
from browser.chromium import browser, tab
from page_shown import fleet

from foretide.operator.page.serve import page_app

SHOTS = (
    ("page-fleet", "/", "light", 1100, 640),
    ("page-target", "/target/prod/qwen", "light", 900, 1080),
    ("page-phone", "/", "dark", 390, 800),
)


async def pictures() -> dict[str, bytes]:
    """PNG by name."""
    shots: dict[str, bytes] = {}
    program, found = browser(), await fleet(origins=25)
    assert program, "no Chromium here"
    with tempfile.TemporaryDirectory() as profile:
        async with TestServer(page_app(found.window)) as server, tab(program, Path(profile)) as page:
            for name, path, scheme, width, height in SHOTS:
                await page.size(width, height)
                await page.scheme(scheme)
                await page.go(str(server.make_url(path)))
                shots[name] = await page.shot()
    return shots


if __name__ == "__main__":
    for name, shot in asyncio.run(pictures()).items():
        (Path(sys.argv[1]) / f"{name}.png").write_bytes(shot)
