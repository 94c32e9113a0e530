"""The dashboard for operators: every query of it has data when Prometheus scrapes a service and a trainer."""

import json
import math
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import yaml

from tests.support.services import ServiceProcess
from tests.trainer.page.test_prometheus_exporter import address_of, training

OBSERVE = Path(__file__).parents[1] / ".observe"
DASHBOARD: dict[str, Any] = json.loads((OBSERVE / "grafana/dashboards/captcha.json").read_text())
PROMETHEUS = Path("/usr/bin/prometheus")
RATE_INTERVAL = "30s"
TIMEOUT_S = 180
KEYS = "hidden_size=16", "batch_size=4", "log_steps=1", "save_checkpoint_steps=5", "steps=100000"


def queries() -> Iterator[tuple[str, str]]:
    """Title and expression of each."""
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"].replace("$__rate_interval", RATE_INTERVAL)


def test_panels_say_what_they_show_and_ask_the_provisioned_source() -> None:
    provisioned = yaml.safe_load((OBSERVE / "grafana/provisioning/datasources/prometheus.yaml").read_text())
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert {panel["datasource"]["uid"] for panel in panels} == {provisioned["datasources"][0]["uid"]}
    assert all(panel["title"] and panel["targets"] for panel in panels)
    cells = [
        (panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y)
        for panel in panels
        for x in range(panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["h"])
    ]
    assert len(set(cells)) == len(cells), "panels lie on each other"
    assert max(x for x, _ in cells) < 24


def scrape_config(targets: dict[str, str]) -> str:
    """The configuration as it is delivered, but with `targets` by job in place of names on a compose network."""
    config = yaml.safe_load((OBSERVE / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "2s", "scrape_timeout": "2s"}
    for job in config["scrape_configs"]:
        del job["dns_sd_configs"]
        job["static_configs"] = [{"targets": [targets.pop(job["job_name"])]}]
    assert not targets
    return str(yaml.safe_dump(config))


@contextmanager
def prometheus(folder: Path, config: str) -> Iterator[str]:
    """A Prometheus of one's own on loopback; yields its address."""
    folder.mkdir()
    (folder / "prometheus.yml").write_text(config)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    options = f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [PROMETHEUS, *options, f"--web.listen-address={address}"], stdout=log, stderr=subprocess.STDOUT
        )
    try:
        yield address
    finally:
        process.terminate()
        process.wait(60)


def answer(address: str, expression: str) -> list[dict[str, str]]:
    """The labels of each series that has a number now."""
    try:
        with urlopen(f"http://{address}/api/v1/query?{urlencode({'query': expression})}", timeout=60) as reply:
            results = json.loads(reply.read())["data"]["result"]
    except (URLError, ConnectionError):  # Prometheus starts.
        return []
    return [each["metric"] for each in results if math.isfinite(float(each["value"][1]))]


@pytest.mark.long
@pytest.mark.skipif(not os.access(PROMETHEUS, os.X_OK), reason=f"no {PROMETHEUS}: apt-get install prometheus")
def test_every_query_of_the_dashboard_has_data(tmp_path: Path) -> None:
    serve = "datagen_server", "serve", "--listen", "127.0.0.1:PORT", "--workers", "1", "--stop-with-stdin"
    with (
        ServiceProcess(*serve, "--metrics-listen", "127.0.0.1:0") as service,
        training(service.target, tmp_path / "run", keys=KEYS) as words,
    ):
        assert service.process.stdout is not None
        of_service = service.process.stdout.readline().strip().removeprefix("metrics on ")
        config = scrape_config({"datagen": of_service, "trainer": address_of(words, 0)})
        with prometheus(tmp_path / "prometheus", config) as address:
            answered: dict[tuple[str, str], list[dict[str, str]]] = {}
            waiting = [("Both answer the scrape", "count(up == 1) == 2"), *queries()]
            deadline = time.monotonic() + TIMEOUT_S
            while waiting:
                assert time.monotonic() < deadline, f"no data for {waiting}"
                answered |= {query: found for query in waiting if (found := answer(address, query[1]))}
                waiting = [query for query in waiting if query not in answered]
                time.sleep(0.5)
    for (title, _), found in answered.items():
        print(f"{title:36} {len(found)} series, such as {found[0]}")
    by_rank = [found for (title, _), found in answered.items() if "wait" in title]
    assert all(series["rank"] == "0" for found in by_rank for series in found)
