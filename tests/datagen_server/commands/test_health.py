import json

from tests.datagen_server.commands.running import run


def test_health_is_one_line_and_an_exit_code(target: str) -> None:
    good = run("health", "--target", target)
    assert (good.returncode, good.stdout, good.stderr) == (0, f"serving at {target}\n", "")
    bad = run("health", "--target", "127.0.0.1:1")
    line = "datagen_server: no data set service answers at 127.0.0.1:1 (connection refused)\n"
    assert (bad.returncode, bad.stdout, bad.stderr) == (1, "", line)


def test_health_as_json_is_one_object_whatever_the_health(target: str) -> None:
    good, bad = run("health", "--json", "--target", target), run("health", "--json", "--target", "127.0.0.1:1")
    assert (good.returncode, json.loads(good.stdout)) == (0, {"target": target, "serving": True, "reason": ""})
    reason = "no data set service answers at 127.0.0.1:1 (connection refused)"
    assert (bad.returncode, json.loads(bad.stdout)) == (
        1,
        {"target": "127.0.0.1:1", "serving": False, "reason": reason},
    )
