"""Ways to stream the same samples, compared in turns: A B A B ..., so that a busy machine disturbs all alike.

Each way is a side: a server process and one or more reader processes, which stay for the whole benchmark. A reader is
told on its standard input how many epochs to read and answers with one JSON line. All end when their input closes.

Only the standard library here: the peer's reader runs in an environment that has nothing of ours.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

BATCH_SIZE = 64
_WARM_UP_BATCHES = 20
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Reading:
    """What one turn of one side came to."""

    images_per_s: float
    "Over all readers, without the first 20 batches of each."
    server_cpu_s: float
    "Per 100,000 images, of the whole turn."
    reader_cpu_s: float

    @property
    def cpu_s(self) -> float:
        """Of server and readers, per 100,000 images."""
        return self.server_cpu_s + self.reader_cpu_s


class Child:
    """A child that prints a line when it is ready. What it logs is shown only when it fails."""

    def __init__(self, command: Sequence[str]) -> None:
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True
        )
        self.ready_line = self.answer()

    def tell(self, line: str) -> None:
        """Writes a line to it."""
        assert self._child.stdin is not None
        self._child.stdin.write(f"{line}\n")
        self._child.stdin.flush()

    def answer(self) -> str:
        """The next line that it prints."""
        assert self._child.stdout is not None
        if not (line := self._child.stdout.readline()):
            self._log.seek(0)
            raise RuntimeError(f"{self._child.args!r} ended with {self._child.wait()}\n{self._log.read()[-4000:]}")
        return line.strip()

    def cpu_s(self) -> float:
        """Seconds of processor time that it has used, its threads included."""
        fields = Path(f"/proc/{self._child.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S

    def close(self) -> None:
        """Ends its input, and so it."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.close()
        try:
            self._child.wait(20)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._child.stdout.close()
        self._log.close()


@dataclass(frozen=True)
class Side:
    """One way to stream: a server, and readers that share each epoch."""

    name: str
    server: Child
    readers: Sequence[Child]

    def turn(self, epochs: int) -> Reading:
        """Lets all readers read that many epochs, at the same time."""
        server_before = self.server.cpu_s()
        for reader in self.readers:
            reader.tell(str(epochs))
        answers: list[Mapping[str, float]] = [json.loads(reader.answer()) for reader in self.readers]
        scale = 1e5 / sum(answer["images"] for answer in answers)
        return Reading(
            images_per_s=sum(answer["timed_images"] / answer["seconds"] for answer in answers),
            server_cpu_s=(self.server.cpu_s() - server_before) * scale,
            reader_cpu_s=sum(answer["cpu_s"] for answer in answers) * scale,
        )


@contextmanager
def opened(name: str, server: Sequence[str], readers: Sequence[Sequence[str]]) -> Iterator[Side]:
    """Starts a side. In the readers' commands SERVER stands for the last word of the line that the server prints."""
    with ExitStack() as stack:
        server_process = Child(server)
        stack.callback(server_process.close)
        target, reader_processes = server_process.ready_line.split()[-1], []
        for command in readers:
            reader_processes.append(Child([word.replace("SERVER", target) for word in command]))
            stack.callback(reader_processes[-1].close)
        yield Side(name, server_process, reader_processes)


def module(name: str, *arguments: object, python: str = sys.executable) -> Sequence[str]:
    """The command that runs a module."""
    return [python, "-m", name, *map(str, arguments)]


def in_turns(sides: Sequence[Side], rounds: int, epochs: int) -> Mapping[str, Sequence[Reading]]:
    """The readings of each side by name; a first round, to warm up, is not among them."""
    for side in sides:
        side.turn(1)
    readings: dict[str, list[Reading]] = {side.name: [] for side in sides}
    for number in range(rounds):
        # Whoever comes first in a round finds the caches of whoever came last: they take turns in that too.
        for side in sides if number % 2 == 0 else reversed(sides):
            reading = side.turn(epochs)
            if not reading.images_per_s:
                raise SystemExit(f"a turn needs over {_WARM_UP_BATCHES} batches a rank; raise --epochs or --samples")
            readings[side.name].append(reading)
    return readings


def ratios(ours: Sequence[Reading], others: Sequence[Reading]) -> tuple[float, float]:
    """Median and smallest of the rounds' ratios of images per second."""
    pairs = [one.images_per_s / other.images_per_s for one, other in zip(ours, others, strict=True)]
    return statistics.median(pairs), min(pairs)


def summary(readings: Sequence[Reading]) -> dict[str, float]:
    """The medians, for the JSON line."""
    return {
        "images_per_s": round(statistics.median(one.images_per_s for one in readings)),
        "cpu_s_per_100k": round(statistics.median(one.cpu_s for one in readings), 2),
        "server_cpu_s_per_100k": round(statistics.median(one.server_cpu_s for one in readings), 2),
    }


def answer_readings(read: Callable[[int], Iterator[int]]) -> None:
    """A reader's whole life; `read` reads that many epochs and yields the images of each batch as it comes."""
    print("ready", flush=True)
    for line in sys.stdin:
        cpu_before, images, timed_images = _own_cpu_s(), 0, 0
        started = time.perf_counter()
        for number, size in enumerate(read(int(line))):
            images += size
            if number < _WARM_UP_BATCHES:
                started, timed_images = time.perf_counter(), 0
            else:
                timed_images += size
        seconds = time.perf_counter() - started
        cpu_s = _own_cpu_s() - cpu_before
        answer = {"images": images, "timed_images": timed_images, "seconds": seconds, "cpu_s": cpu_s}
        print(json.dumps(answer), flush=True)


def answer_times(take: Callable[[], object]) -> None:
    """Takes a step, then as many as each line says, and answers with seconds and CPU seconds of one."""
    take()
    print("ready", flush=True)
    for line in sys.stdin:
        num, started, cpu_before = int(line), time.perf_counter(), _own_cpu_s()
        for _ in range(num):
            take()
        print(json.dumps([(time.perf_counter() - started) / num, (_own_cpu_s() - cpu_before) / num]), flush=True)


def _own_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
