"""The images and the compose file against a real engine: `make compose-test`. Prints what a person would look at.

The tests are one story and run in this order: build, look around, train, store, survive.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from urllib.request import urlopen

import pytest

from datagen_server.rendering.fingerprint import fingerprint
from datagen_server.shards.manifest import Manifest
from shared.client import connect
from shared.dataset.spec import DatasetSpec
from shared.errors import AccessDenied, Unavailable
from shared.security.credentials import PLAIN, Security
from tests.deploy.engine import Project, docker, health, inspect, logs, wait_until

# The first build downloads MindSpore.
pytestmark = [pytest.mark.compose, pytest.mark.timeout(3600)]

SERVICES = "datagen", "materialize", "train", "evaluate"
IMAGES = "captcha-datagen", "captcha-trainer"
STRANGER = os.getuid() or 4242
"Some user, not the images' own."


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with Project(tmp_path_factory.mktemp("clone")) as project:
        yield project


@pytest.fixture(scope="module")
def replica(project: Project) -> str:
    """The one container of `up datagen`, healthy."""
    project.compose("up", "-d", "datagen")
    (container,) = project.replicas()
    wait_until(lambda: health(container) == "healthy", "health to turn good")
    return container


def test_images_are_built_and_their_sizes_are_known(project: Project) -> None:
    started = time.monotonic()
    project.compose("build", "datagen", "train")
    print(f"\nbuilt in {time.monotonic() - started:.0f} s")
    base = inspect("python:3.11-slim-bookworm")
    print(f"{'image':28}{'MB':>7}  of which the base image")
    for image in IMAGES:
        layers = inspect(image)["RootFS"]["Layers"]
        shared = base["Size"] if layers[: len(base["RootFS"]["Layers"])] == base["RootFS"]["Layers"] else 0
        print(f"{image:28}{inspect(image)['Size'] / 1e6:7.0f}  {shared / 1e6:.0f}")
    assert inspect("captcha-datagen")["Size"] < inspect("captcha-trainer")["Size"] / 2


@pytest.mark.parametrize("service", SERVICES)
def test_processes_are_nobody_special_on_a_root_that_cannot_be_written(project: Project, service: str) -> None:
    (project.directory / "shards").mkdir(exist_ok=True)
    found = project.probe(service)
    print(f"\n{service:12} {found}")
    assert found == {
        "uid": 1000,
        "capabilities": 0,
        "no_new_privileges": 1,
        "writable": [],
        "compilers": [],
        "mindspore": service in ("train", "evaluate"),
    }


def test_ctrl_c_stops_what_up_datagen_started_and_its_log_can_be_read(project: Project) -> None:
    up = project.popen("up", "datagen")
    wait_until(lambda: any("serving" in logs(container) for container in project.replicas()), "the service to serve")
    (container,) = project.replicas()
    started = time.monotonic()
    os.killpg(up.pid, signal.SIGINT)
    seen, _ = up.communicate(timeout=60)
    print(f"\n{seen}\nstopped within {time.monotonic() - started:.1f} s of Ctrl-C")
    assert inspect(container)["State"]["ExitCode"] == 0
    assert re.search(r"INFO serving test=10000 train=50000, rendered, fingerprint [0-9a-f]{64}", logs(container))
    assert "listening on 0.0.0.0:50051" in logs(container)
    assert "Traceback" not in seen


def test_the_service_is_healthy_and_serves_the_pixels_of_this_checkout(project: Project, replica: str) -> None:
    with connect(project.target(replica)) as client:
        assert client.source == "rendered"
        assert client.dataset.fingerprint == fingerprint(DatasetSpec(seed=0))
    with urlopen(f"http://{project.target(replica, 9464)}/metrics", timeout=60) as answer:
        assert b"grpc_server_handled_total" in answer.read()


def test_a_trainer_trains_20_steps_and_the_evaluator_reports(project: Project, replica: str) -> None:
    trained = project.run("train", TRAIN="--steps 20")
    evaluated = project.run("evaluate")
    print(f"\n{trained}\n{evaluated}")
    assert "trained 20 steps" in trained
    assert "coverage          10,000/10,000 samples, each once" in evaluated
    assert "/runs/run/report" in evaluated


def test_with_certificates_readers_prove_who_they_are_and_strangers_are_refused(project: Project, replica: str) -> None:
    certs = project.directory / "certs"
    _make_certs(certs)
    files = "docker-compose.yml:.compose/tls.yml"
    project.compose("up", "-d", "datagen", COMPOSE_FILE=files)
    (secured,) = project.replicas()
    wait_until(lambda: health(secured) == "healthy", "health to turn good over TLS")
    assert "trained 5 steps" in project.run("train", TRAIN="--steps 5", RUN="secured", COMPOSE_FILE=files)
    known = Security(tls_ca=certs / "ca.pem", tls_cert=certs / "client.pem", tls_key=certs / "client.key")
    for stranger, problem in ((PLAIN, Unavailable), (known, AccessDenied)):
        with pytest.raises(problem):
            connect(project.target(secured), security=stranger)


def test_of_three_replicas_the_one_that_serves_is_killed_and_training_goes_on(project: Project, replica: str) -> None:
    project.compose("up", "-d", "--scale", "datagen=3", "datagen")
    replicas = project.replicas()
    assert len(replicas) == 3
    wait_until(lambda: all(health(container) == "healthy" for container in replicas), "three healthy replicas")
    trainer = f"{project.name}-survivor"
    project.compose("run", "-d", "--name", trainer, "train", TRAIN="--steps 200 -o log_steps=10", RUN="survivor")
    wait_until(partial(_has_done, trainer, 20), "step 20")
    num_kills = 0
    while num_kills < 3 and inspect(trainer)["State"]["Running"]:
        if not (serving := _serving(replicas)):
            time.sleep(0.2)
            continue
        done = _steps_done(trainer)
        docker("kill", serving[0])
        num_kills += 1
        wait_until(partial(_has_done, trainer, min(done + 20, 200)), "steps after a kill")
        docker("start", serving[0])
    wait_until(lambda: not inspect(trainer)["State"]["Running"], "the end of training")
    seen = logs(trainer)
    print(f"\n{num_kills} kills\n{seen}")
    assert inspect(trainer)["State"]["ExitCode"] == 0
    assert "trained 200 steps" in seen
    assert "Traceback" not in seen
    assert "resumed at step" in seen
    receipts = project.compose("run", "--rm", "-T", "--no-deps", "train", "trainer.receipts", "/runs/survivor").stdout
    print(receipts)
    assert re.search(r"delivered +12,800 of 12,800", receipts)
    assert re.search(r"missing +0\n", receipts)
    assert re.search(r"duplicated +0\n", receipts)


def test_materialize_writes_shards_and_the_service_takes_them(project: Project) -> None:
    shards = project.directory / "shards"
    shards.mkdir(exist_ok=True)
    if not os.getuid():
        os.chown(shards, STRANGER, STRANGER)
    owner = f"{STRANGER}:{STRANGER}"
    print(f"\n{project.run('materialize', RUN_AS=owner, MATERIALIZE='--count train=6400 test=640')}")
    project.compose("up", "-d", "--scale", "datagen=1", "datagen")
    project.compose("restart", "datagen")
    (replica,) = project.replicas()
    wait_until(lambda: health(replica) == "healthy", "health to turn good again")
    with connect(project.target(replica)) as client:
        assert client.source == "shards"
    assert Manifest.read(shards).plan.dataset.fingerprint == fingerprint(DatasetSpec(seed=0))
    assert (shards / "manifest.json").stat().st_uid == STRANGER


def test_every_container_that_ran_was_confined(project: Project) -> None:
    label = f"label=com.docker.compose.project={project.name}"
    containers = [inspect(name) for name in docker("ps", "--all", "--quiet", "--filter", label).split()]
    print()
    for container in containers:
        host = container["HostConfig"]
        print(f"{container['Name']:45} user {container['Config']['User']}, read-only {host['ReadonlyRootfs']}")
        assert container["Config"]["User"].split(":")[0] not in ("", "0", "root")
        assert host["ReadonlyRootfs"]
        assert (host["CapDrop"], host["CapAdd"] or [], host["Privileged"]) == (["ALL"], [], False)
        assert any(option.startswith("no-new-privileges") for option in host["SecurityOpt"])
    assert {container["Config"]["Labels"]["com.docker.compose.service"] for container in containers} == set(SERVICES)


def _make_certs(folder: Path) -> None:
    """As `make certs`, and then the containers' user owns what only its owner can read."""
    subprocess.run([sys.executable, "-m", "tests.make_certs", "--out", folder], check=True, capture_output=True)
    for path in (folder, *folder.iterdir()):
        if not os.getuid():
            os.chown(path, 1000, 1000)


def _serving(replicas: Sequence[str]) -> list[str]:
    """Those with an open stream, by their logs since they were started."""
    told = {container: logs(container).rpartition(" INFO serving ")[2].splitlines() for container in replicas}
    last = {container: [line for line in lines if "stream of train" in line][-1:] for container, lines in told.items()}
    return [container for container, lines in last.items() if lines and "opened" in lines[0]]


def _has_done(container: str, num_steps: int) -> bool:
    return _steps_done(container) >= num_steps


def _steps_done(container: str) -> int:
    return max((int(number) for number in re.findall(r"step +(\d+)/", logs(container))), default=0)
