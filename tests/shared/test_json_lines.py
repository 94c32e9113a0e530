"""Lines that a crash or a disk has damaged end no command."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.json_lines import is_until, read_json_lines


@given(damage=st.binary(max_size=60) | st.sampled_from([b"[" * 100_000, b"9" * 5000, b"null", b"[1]"]))
def test_whatever_lies_between_whole_lines_is_passed_over(
    damage: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("lines") / "metrics.jsonl"
    file.write_bytes(b'{"step": 1}\n' + damage + b'\n{"step": 2}\n{"step"')
    found = list(read_json_lines(file))
    assert [found[0], found[-1]] == [{"step": 1}, {"step": 2}]
    assert all(isinstance(values, dict) for values in found)


def test_a_step_that_is_none_is_not_until_any() -> None:
    assert [is_until(step, 5) for step in (4, 5, 6, None, "4", [4], 1e999)] == [True, True, *[False] * 5]
