"""A request names its steps, and what callers may leave out is one list."""

from dataclasses import fields

import pytest

from shared.dataset.spec import Dataset
from shared.errors import InvalidRequest
from shared.protocol.request import StreamFields, StreamRequest
from tests.support.toys import TOY_COUNTS, TOY_FINGERPRINT, TOY_SPEC

DATASET = Dataset(spec=TOY_SPEC, counts=TOY_COUNTS, fingerprint=TOY_FINGERPRINT)


def test_the_fields_that_may_be_left_out_are_those_of_the_request() -> None:
    own_parameters = {"dataset", "split", "codec"}
    expected = {field.name: field.type for field in fields(StreamRequest) if field.name not in own_parameters}
    assert StreamFields.__annotations__ == expected


@pytest.mark.parametrize(
    ("first", "num", "steps"), [(0, 0, range(15)), (3, 9, range(3, 12)), (3, 0, range(3, 15)), (15, 0, range(15, 15))]
)
def test_the_steps_of_a_request(first: int, num: int, steps: range) -> None:
    assert StreamRequest(dataset=DATASET, split="train", first_step=first, num_steps=num).steps == steps


def test_a_part_of_a_request_differs_in_its_steps_alone() -> None:
    whole = StreamRequest(dataset=DATASET, split="train", epoch=7, rank=1, ranks=4, first_step=3)
    part = whole.of_steps(range(5, 9))
    assert part.steps == range(5, 9)
    assert part.of_steps(whole.steps).steps == whole.steps
    assert (part.epoch, part.rank_slice) == (7, whole.rank_slice)
    with pytest.raises(InvalidRequest, match="num_steps must be in"):
        whole.of_steps(range(5, 16))
