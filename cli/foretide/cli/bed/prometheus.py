"""A real Prometheus whose targets are found over HTTP, and which can be taken away and brought back.

Promised: the address stays the same over `stop` and `start`. NOT promised: that a new target is scraped at once:
discovery and the scraper each gather changes for a few seconds.
"""

import http.client
import json
import os
import shutil
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from foretide.cli.bed.processes import LOOPBACK, BedFailed, Process, free_port, start, stop, wait_for


@dataclass(frozen=True, slots=True)
class Sample:
    """One series of an instant query."""

    labels: dict[str, str]
    value: float


@dataclass(slots=True)
class Prometheus:
    """A Prometheus below `folder`. Its `process` is None while it is stopped."""

    program: Path
    folder: Path
    scrape_s: float = 2.0
    attached: bool = True
    port: int = field(default_factory=free_port)
    process: Process | None = None
    jobs: dict[str, str] = field(default_factory=dict)
    """Job name -> the address that lists its targets."""

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def log(self) -> Path:
        return self.folder / "logs" / "prometheus.log"

    def start(self) -> None:
        """Starts it and waits until it answers. Raises BedFailed when it does not."""
        self._write_config()
        flags = (
            f"--config.file={self._config}",
            f"--storage.tsdb.path={self._data}",
            f"--web.listen-address={LOOPBACK}:{self.port}",
            "--scrape.discovery-reload-interval=1s",
            "--log.level=warn",
        )
        self.process = start("prometheus", [self.program, *flags], log=self.log, attached=self.attached)
        wait_for(self._ready, what="prometheus", by=[self.process])

    def stop(self) -> None:
        if self.process:
            stop([self.process])
        self.process = None

    def wipe(self) -> None:
        """Forgets all samples; a running one is stopped for it and started again."""
        was_running = self.process is not None
        self.stop()
        shutil.rmtree(self._data, ignore_errors=True)
        if was_running:
            self.start()

    def discover(self, job: str, url: str) -> None:
        """Scrapes from now on what `url` lists (the format of http_sd_configs)."""
        self.jobs[job] = url
        self._reload()

    def forget(self, job: str) -> None:
        self.jobs.pop(job, None)
        self._reload()

    def query(self, promql: str) -> list[Sample]:
        """The present value of an expression that gives a vector. Raises BedFailed when there is no answer."""
        status, body = self._get(f"/api/v1/query?query={quote(promql)}")
        if status != http.HTTPStatus.OK:
            raise BedFailed(f"prometheus: {promql}: {status} {body[:200].decode(errors='replace')}")
        found: list[dict[str, Any]] = json.loads(body)["data"]["result"]
        return [Sample(labels=one["metric"], value=float(one["value"][1])) for one in found]

    @property
    def _config(self) -> Path:
        return self.folder / "prometheus.yaml"

    @property
    def _data(self) -> Path:
        return self.folder / "prometheus"

    def _write_config(self) -> None:
        every = f"{round(self.scrape_s * 1000)}ms"
        jobs = [
            {"job_name": job, "http_sd_configs": [{"url": url, "refresh_interval": "1s"}]}
            for job, url in self.jobs.items()
        ]
        config = {"global": {"scrape_interval": every, "scrape_timeout": every}, "scrape_configs": jobs}
        self.folder.mkdir(parents=True, exist_ok=True)
        self._config.write_text(yaml.safe_dump(config), encoding="utf-8")

    def _reload(self) -> None:
        self._write_config()
        if self.process and self.process.alive:
            os.kill(self.process.pid, signal.SIGHUP)

    def _ready(self) -> bool:
        try:
            return self._get("/-/ready")[0] == http.HTTPStatus.OK
        except BedFailed:
            return False

    def _get(self, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=5)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException) as problem:
            raise BedFailed(f"prometheus at {self.url} does not answer ({problem})") from problem
        finally:
            connection.close()
