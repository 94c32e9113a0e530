"""Events between the process of a rank and the launcher."""

from contextlib import closing
from pathlib import Path

from trainer.distributed.rank_events import EventKind, RankEventReader, RankEventWriter, events_file


def test_events_are_read_line_by_line_as_they_come(tmp_path: Path) -> None:
    file = events_file(tmp_path, "0")
    reader = RankEventReader("0", file)
    assert reader.read() == []
    assert reader.pid is None
    with closing(RankEventWriter(file)) as writer:
        writer.write(EventKind.TRAINING, rank=3)
    with file.open("a") as half:
        half.write('{"kind": "fini')
    assert [event["kind"] for event in reader.read()] == [EventKind.STARTED, EventKind.TRAINING]
    assert reader.latest[EventKind.TRAINING]["rank"] == 3
    assert reader.pid is not None
    assert not reader.has(EventKind.FINISHED)
    with file.open("a") as half:
        half.write('shed", "time": 0}\n')
    assert [event["kind"] for event in reader.read()] == [EventKind.FINISHED]
    assert reader.has(EventKind.FINISHED)
