"""docker-compose.yml, its overrides and the Dockerfiles, without an engine: what they promise and what they run."""

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import yaml

from shared.client.channel import split_target
from tests.deploy.commands import parse
from tests.deploy.engine import CHECKOUT

BASE = "docker-compose.yml"
OVERRIDES = sorted(file.name for file in (CHECKOUT / ".compose").glob("*.yml"))
DOCKERFILES = "datagen_server/Dockerfile", "trainer/Dockerfile"
OURS = "datagen", "materialize", "train", "evaluate"


def filled_in(text: str) -> str:
    """With the default of each variable, or its name where it has none."""
    return re.sub(
        r"\$\{(\w+)(?::-([^}]*)|:\?[^}]*)?\}", lambda found: found[2] if found[2] is not None else found[1], text
    )


def services(name: str) -> Mapping[str, Mapping[str, Any]]:
    """The services of a compose file."""
    return dict(yaml.safe_load(filled_in((CHECKOUT / name).read_text()))["services"])


def words_of(image: str, command: str | Sequence[str]) -> list[str]:
    """What a container gives to `python -m`, by the entry point of its image."""
    words = shlex.split(command) if isinstance(command, str) else [*command]
    return ["datagen_server", *words] if image == "captcha-datagen" else words


@pytest.mark.parametrize("service", services(BASE))
def test_each_service_is_confined(service: str) -> None:
    found = services(BASE)[service]
    assert not found["user"].startswith(("0", "root"))
    assert found["read_only"] is True
    assert found["cap_drop"] == ["ALL"]
    assert found["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "network_mode", "pid", "ipc"} & found.keys()


@pytest.mark.parametrize("service", services(BASE))
def test_published_ports_are_on_loopback(service: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in services(BASE)[service].get("ports", []))


@pytest.mark.parametrize("service", OURS)
def test_each_command_is_one_of_ours(service: str) -> None:
    found = services(BASE)[service]
    parse(words_of(found["image"], found["command"]))


def test_only_datagen_starts_without_a_profile() -> None:
    profiles = {name: found.get("profiles", []) for name, found in services(BASE).items()}
    assert profiles.pop("datagen") == []
    assert all(profiles.values())
    assert {"materialize", "train", "evaluate"} <= {name for names in profiles.values() for name in names}


def test_readers_find_the_service_under_its_name_and_port() -> None:
    found = services(BASE)
    listen = parse(words_of("captcha-datagen", found["datagen"]["command"])).listen
    for reader in ("train", "evaluate"):
        target = parse(words_of("captcha-trainer", found[reader]["command"])).datagen
        assert split_target(target) == [f"dns:///datagen:{listen.rpartition(':')[2]}"]


def test_prometheus_asks_where_services_and_trainers_tell() -> None:
    found = services(BASE)
    jobs = yaml.safe_load((CHECKOUT / ".observe/prometheus.yml").read_text())["scrape_configs"]
    places = {(name, place["port"]) for job in jobs for place in job["dns_sd_configs"] for name in place["names"]}
    for service in ("datagen", "train"):
        listen = parse(words_of(found[service]["image"], found[service]["command"])).metrics_listen
        assert (service, int(listen.rpartition(":")[2])) in places
    assert {name for name, _ in places} <= found.keys()


@pytest.mark.parametrize("service", ["prometheus", "grafana"])
def test_what_is_mounted_for_the_observers_is_there(service: str) -> None:
    sources = [volume.partition(":")[0] for volume in services(BASE)[service]["volumes"]]
    assert [source for source in sources if source.startswith("./") and not (CHECKOUT / source).exists()] == []
    assert any(source.startswith("./") for source in sources)


@pytest.mark.parametrize("name", OVERRIDES)
def test_each_override_changes_services_that_there_are(name: str) -> None:
    for service, found in services(f".compose/{name}").items():
        image = services(BASE)[service]["image"]
        if "command" in found:
            parse(words_of(image, found["command"]))


def test_with_certificates_calls_need_them_and_the_health_check_has_its_own() -> None:
    found = services(".compose/tls.yml")
    datagen = parse(words_of("captcha-datagen", found["datagen"]["command"]))
    assert datagen.tls_cert
    assert datagen.tls_client_ca
    assert datagen.token_file
    assert datagen.metrics_listen, "--insecure is for the metrics only"
    cmd, python, minus_m, *words = found["datagen"]["healthcheck"]["test"]
    assert (cmd, python, minus_m) == ("CMD", "python", "-m")
    readers = [parse(words_of("captcha-trainer", found[reader]["command"])) for reader in ("train", "evaluate")]
    assert {reader.token_file for reader in readers} == {datagen.token_file}
    assert {reader.tls_cert for reader in (*readers, parse(words))} == {readers[0].tls_cert}


@pytest.mark.parametrize("name", OVERRIDES)
def test_each_override_keeps_the_metrics(name: str) -> None:
    for service, found in services(f".compose/{name}").items():
        if service in ("datagen", "train") and "command" in found:
            base = services(BASE)[service]
            asked = parse(words_of(base["image"], found["command"])).metrics_listen
            assert asked == parse(words_of(base["image"], base["command"])).metrics_listen


def test_the_health_check_of_the_compose_file_is_that_of_the_image() -> None:
    (command,) = re.findall(r"HEALTHCHECK .*\\\n +CMD (\[.*\])", (CHECKOUT / DOCKERFILES[0]).read_text())
    assert services(BASE)["datagen"]["healthcheck"]["test"] == ["CMD", *yaml.safe_load(command)]


@pytest.mark.parametrize("name", DOCKERFILES)
def test_each_image_checks_hashes_and_runs_as_nobody_special(name: str) -> None:
    build, final = (CHECKOUT / name).read_text().split("FROM ${BASE}\n")
    assert "python:3.11-slim-bookworm" in build
    (requirements,) = re.findall(r"COPY (requirements/\S+)", build)
    assert "--require-hashes" in build
    assert "--hash=sha256:" in (CHECKOUT / requirements).read_text()
    assert "USER 1000:1000" in final
    assert "pip" not in final


def test_the_health_check_of_the_image_is_our_own_command() -> None:
    (command,) = re.findall(r"HEALTHCHECK .*\\\n +CMD (\[.*\])", (CHECKOUT / DOCKERFILES[0]).read_text())
    python, minus_m, *words = yaml.safe_load(command)
    assert (python, minus_m) == ("python", "-m")
    listen = parse(words_of("captcha-datagen", services(BASE)["datagen"]["command"])).listen
    assert parse(words).target.rpartition(":")[2] == listen.rpartition(":")[2]
