from shared.protocol.codec import Codec
from tests.benchmarks.streaming.sides import bare_socket, materialized, message_bytes_per_image, service
from tests.benchmarks.turns import in_turns, ratios, summary


def test_service_and_bare_socket_are_measured_in_turns() -> None:
    with materialized(256, Codec.ZSTD) as stored, service(stored, 2) as ours:
        image_bytes = message_bytes_per_image(ours, stored.codec)
        with bare_socket(stored, 2, image_bytes) as socket:
            readings = in_turns([ours, socket], rounds=2, epochs=16)
    assert 1000 < image_bytes < 30_720
    assert [len(turns) for turns in readings.values()] == [2, 2]
    assert all(turn.images_per_s > 0 for turns in readings.values() for turn in turns)
    median, smallest = ratios(readings["service"], readings["bare socket"])
    assert 0 < smallest <= median
    assert set(summary(readings["service"])) == {"images_per_s", "cpu_s_per_100k", "server_cpu_s_per_100k"}
