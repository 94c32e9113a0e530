"""A compose project on a real engine, the one that `DOCKER_HOST` names or the default one; compose 1.29 or 2.

It runs in a copy of the checkout, as after a fresh clone, and leaves nothing behind but the images.
"""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

CHECKOUT = Path(__file__).parents[2]
_PORTS = {"DATAGEN_PORTS": "15051-15059", "METRICS_PORTS": "15061-15069"}
_PROBE = """
import json, os, pathlib, shutil, importlib.util
def can_write(folder):
    try:
        (pathlib.Path(folder) / "probe").touch()
    except OSError:
        return False
    return True
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({
    "uid": os.getuid(),
    "capabilities": int(status["CapEff"], 16) | int(status["CapBnd"], 16),
    "no_new_privileges": int(status["NoNewPrivs"]),
    "writable": [folder for folder in ("/", "/app", "/opt/venv/bin", "/etc", "/usr/bin", "/var") if can_write(folder)],
    "compilers": [name for name in ("cc", "gcc", "g++", "make") if shutil.which(name)],
    "mindspore": importlib.util.find_spec("mindspore") is not None,
}))
"""


def docker(*arguments: str, check: bool = True) -> str:
    """What `docker ARGUMENTS` prints on stdout."""
    return _run(["docker", *arguments], check=check).stdout.strip()


def inspect(name: str) -> dict[str, Any]:
    """All that the engine knows of a container or an image."""
    (found,) = json.loads(docker("inspect", name))
    return dict(found)


def health(container: str) -> str:
    """'starting', 'healthy' or 'unhealthy', by the image's own health check."""
    return str(inspect(container)["State"]["Health"]["Status"])


def logs(container: str) -> str:
    """All that a container has printed, stdout and stderr."""
    done = _run(["docker", "logs", container])
    return done.stdout + done.stderr


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = 600) -> None:
    """Fails when `condition` has not come true in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout_s} s for {what}"
        time.sleep(0.2)


class Project:
    """The compose project; removed at the end of the block, its volumes too."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.name = directory, f"captcha-test-{os.getpid()}"
        self._compose = _compose_command()
        _copy_checkout(directory)

    def compose(self, *arguments: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        """One compose command; `environment` is what a user would export."""
        return _run([*self._compose, *arguments], self.directory, self.environment(**environment), check=check)

    def popen(self, *arguments: str) -> subprocess.Popen[str]:
        """A compose command in a terminal of its own, as it were: its output in one pipe, and Ctrl-C reaches it."""
        return subprocess.Popen(
            [*self._compose, *arguments],
            cwd=self.directory,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def environment(self, **more: str) -> dict[str, str]:
        """What compose is started with."""
        return {**os.environ, "COMPOSE_PROJECT_NAME": self.name, **_PORTS, **more}

    def replicas(self) -> list[str]:
        """The containers of the service."""
        return self.compose("ps", "-q", "datagen").stdout.split()

    def target(self, container: str, port: int = 50051) -> str:
        """Where a client of this host finds a replica."""
        return docker("port", container, f"{port}/tcp").splitlines()[0]

    def run(self, service: str, *, check: bool = True, **environment: str) -> str:
        """Runs a service to its end as a container of that name; all that it printed."""
        docker("rm", "--force", "--volumes", f"{self.name}-{service}", check=False)
        self.compose("run", "-T", "--name", f"{self.name}-{service}", service, check=check, **environment)
        return logs(f"{self.name}-{service}")

    def probe(self, service: str) -> dict[str, Any]:
        """What a process can do in a new container of `service`."""
        command = "run", "--rm", "-T", "--no-deps", "--entrypoint", "python", service, "-c", _PROBE
        return dict(json.loads(self.compose(*command).stdout.splitlines()[-1]))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        label = f"label=com.docker.compose.project={self.name}"
        for container in docker("ps", "--all", "--quiet", "--filter", label).split():
            docker("rm", "--force", "--volumes", container)
        self.compose("down", "--volumes", "--remove-orphans")


def _compose_command() -> Sequence[str]:
    if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0:
        return ("docker", "compose")
    assert shutil.which("docker-compose"), "compose is needed, 1.29 or 2: `docker compose` or `docker-compose`"
    return ("docker-compose",)


def _copy_checkout(directory: Path) -> None:
    listed = _run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], CHECKOUT).stdout
    for name in filter(None, listed.split("\0")):
        if (CHECKOUT / name).is_file():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / name, directory / name)


def _run(
    command: Sequence[str],
    directory: Path | None = None,
    environment: dict[str, str] | None = None,
    *,
    check: bool = True,
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)
    said = (done.stdout + done.stderr)[-3000:]
    assert not check or done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}:\n{said}"
    return done
