"""Retries are counted, paused and given up as the policy says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.client.retry import Retries, RetryPolicy, backoff_s
from shared.errors import DataLoss, ForeignDataset, Unavailable

GONE = Unavailable("gone")
PLACE = "step 3 of epoch 0 of train"


@given(num_rounds=st.integers(0, 10**6))
def test_a_pause_has_a_bound_that_doubles_up_to_two_seconds(num_rounds: int) -> None:
    assert 0 <= backoff_s(num_rounds) <= min(2.0, 0.1 * 2 ** min(num_rounds, 20))


@pytest.mark.parametrize(("num_replicas", "num_tries"), [(1, 3), (2, 3), (3, 3), (5, 5)])
@pytest.mark.parametrize("refusal", [ForeignDataset("foreign"), DataLoss("damaged")])
def test_refusals_in_a_row_are_an_error_once_all_replicas_were_asked(
    num_replicas: int, num_tries: int, refusal: ForeignDataset | DataLoss
) -> None:
    retries = Retries(RetryPolicy(), ["replica"] * num_replicas)
    for error in [refusal] * (num_tries - 1) + [GONE] + [refusal] * (num_tries - 1):
        retries.failed(error, PLACE)
    retries.succeeded()
    for _ in range(num_tries - 1):
        retries.failed(refusal, PLACE)
    with pytest.raises(type(refusal)):
        retries.failed(refusal, PLACE)


def test_the_last_error_says_where_it_gave_up_and_what_to_check() -> None:
    retries = Retries(RetryPolicy(give_up_after_s=0), ["a:1", "b:2"])
    retries.failed(GONE, PLACE)
    with pytest.raises(Unavailable) as caught:
        retries.failed(GONE, PLACE)
    advice = "check it with: python -m datagen_server health --target a:1,b:2"
    assert str(caught.value) == f"gone; gave up at {PLACE} after 0 s; {advice}"
