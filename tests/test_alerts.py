"""The alert rules: each fires when it should and stays silent otherwise, by Prometheus' own promtool."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

OBSERVE = Path(__file__).parents[1] / ".observe"
RULES = OBSERVE / "alerts.yml"
PROMTOOL = Path("/usr/bin/promtool")
ALERTS: dict[str, dict[str, Any]] = {
    rule["alert"]: rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
}
DAY_S = 86_400

# alert -> (series with their values a minute, minute at which it fires), (the same that must stay silent)
CASES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "RankWithoutData": (
        {'captcha_trainer_wait_seconds_total{rank="1"}': "0+50x20"},
        {'captcha_trainer_wait_seconds_total{rank="1"}': "0+5x20"},
    ),
    "DamagedRecords": (
        {"captcha_corrupt_records_total": "0x5 1x15"},
        {"captcha_corrupt_records_total": "7x20"},
    ),
    "StreamsNearLimit": (
        {'captcha_open_streams{instance="a"}': "120x20", 'captcha_streams_limit{instance="a"}': "128x20"},
        {'captcha_open_streams{instance="a"}': "20x20", 'captcha_streams_limit{instance="a"}': "128x20"},
    ),
    "CertificateExpires": (
        {"captcha_certificate_expiry_timestamp_seconds": f"{13 * DAY_S}x20"},
        {"captcha_certificate_expiry_timestamp_seconds": f"{30 * DAY_S}x20"},
    ),
    "ServiceNotReady": ({'up{job="datagen"}': "0x20"}, {'up{job="datagen"}': "1x20", "captcha_serving": "1x20"}),
}

needs_promtool = pytest.mark.skipif(
    not os.access(PROMTOOL, os.X_OK), reason=f"no {PROMTOOL}: apt-get install prometheus"
)


def test_every_alert_has_a_case_and_says_what_to_do() -> None:
    assert CASES.keys() == ALERTS.keys()
    assert all({"summary", "action"} <= rule["annotations"].keys() for rule in ALERTS.values())


@needs_promtool
@pytest.mark.parametrize("alert", ALERTS)
@pytest.mark.parametrize("fires", [True, False], ids=["fires", "stays silent"])
def test_the_alert(alert: str, fires: bool, tmp_path: Path) -> None:
    series = CASES[alert][0 if fires else 1]
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {
                "expr": f'count(ALERTS{{alertname="{alert}", alertstate="firing"}})',
                "eval_time": "12m",
                "exp_samples": [{"labels": "{}", "value": 1}] if fires else [],
            }
        ],
    }
    file = tmp_path / "test.yml"
    file.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [test]}))
    done = subprocess.run([PROMTOOL, "test", "rules", file], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_the_configuration_is_one_that_prometheus_takes() -> None:
    done = subprocess.run(
        [PROMTOOL, "check", "config", OBSERVE / "prometheus.yml"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
