from collections import Counter
from itertools import product

from hypothesis import assume, given
from hypothesis import strategies as st

from shared.dataset.seeding import Draws, order_keys, sample_key

SEEDS = st.integers(0, 2**64 - 1)
SPLITS = st.from_regex(r"[a-z][a-z0-9_]{0,31}", fullmatch=True)
INDICES = st.integers(0, 2**48 - 1)


@given(SEEDS, SEEDS, INDICES, INDICES)
def test_train_and_test_never_share_a_stream_whatever_their_seeds(
    seed: int, other_seed: int, index: int, other_index: int
) -> None:
    assert sample_key(seed, "train", index) != sample_key(other_seed, "test", other_index)


@given(st.tuples(SEEDS, SPLITS, INDICES), st.tuples(SEEDS, SPLITS, INDICES))
def test_different_addresses_have_different_keys(first: tuple[int, str, int], second: tuple[int, str, int]) -> None:
    assume(first != second)
    assert sample_key(*first) != sample_key(*second)


def test_neighbouring_addresses_have_different_keys() -> None:
    splits = ["t", "te", "test", "test1", "train", "a", "aa"]
    keys = {sample_key(seed, split, index) for seed, split, index in product(range(30), splits, range(30))}
    assert len(keys) == 30 * 30 * len(splits)


@given(INDICES, INDICES, SPLITS)
def test_a_seed_never_makes_up_for_an_index(seed: int, index: int, split: str) -> None:
    assume(seed != index)
    assert sample_key(seed, split, index) != sample_key(index, split, seed)
    assert sample_key(seed, split, index + 1) != sample_key(seed + 1, split, index)


@given(SEEDS, SPLITS, INDICES, st.integers(0, 63), st.integers(0, 47), st.characters(codec="ascii"))
def test_one_other_bit_or_letter_gives_another_key(
    seed: int, split: str, index: int, seed_bit: int, index_bit: int, letter: str
) -> None:
    neighbours = [
        (seed ^ 1 << seed_bit, split, index),
        (seed, split + letter, index),
        (seed, split, index ^ 1 << index_bit),
    ]
    assert len({sample_key(*address) for address in [(seed, split, index), *neighbours]}) == 4


@given(SEEDS, INDICES)
def test_orders_and_samples_share_no_keys(seed: int, number: int) -> None:
    sample = sample_key(seed, "train", number).to_bytes(32, "little")
    order = b"".join(key.to_bytes(8, "little") for key in order_keys(seed, number, 8))
    assert sample not in order
    assert order[:32] != sample


def test_keys_are_the_same_for_ever() -> None:
    assert f"{sample_key(0, 'train', 0):064x}" == "1172df672010d433257ac0ef53780bd2233974c4bd7d8ca81f882d4d643dec57"
    assert (
        f"{sample_key(2**64 - 1, 'test', 2**48 - 1):064x}"
        == "99121139cb2f599061fc6701a50bae10ba002968bc0c8bb64eb6f079dd36ff35"
    )
    assert order_keys(7, 3, 2) == (7085453105102298009, 10166930065845533484)


def test_draws_are_the_same_for_ever() -> None:
    draws = Draws(sample_key(0, "train", 0))
    assert [draws.randbelow(1000) for _ in range(4)] == [162, 699, 334, 643]
    assert [draws.randbits(32) for _ in range(2)] == [3803151188, 3224334207]
    assert "".join(draws.choice("0123456789") for _ in range(8)) == "40589054"


@given(st.integers(0, 2**256 - 1), st.integers(1, 2**53))
def test_draws_stay_below_their_bound(key: int, bound: int) -> None:
    draws = Draws(key)
    assert all(0 <= draws.randbelow(bound) < bound for _ in range(20))


@given(st.integers(0, 2**256 - 1), st.integers(1, 53))
def test_draws_have_as_many_bits_as_asked_for(key: int, bits: int) -> None:
    draws = Draws(key)
    assert all(0 <= draws.randbits(bits) < 2**bits for _ in range(20))


@given(st.integers(0, 2**256 - 1), st.lists(st.integers(1, 2**53), max_size=20))
def test_many_draws_at_once_are_the_draws_one_by_one(key: int, bounds: list[int]) -> None:
    at_once, one_by_one = Draws(key), Draws(key)
    assert at_once.below_each(bounds) == [one_by_one.randbelow(bound) for bound in bounds]
    assert at_once.fraction() == one_by_one.randbits(32) / 2**32


def test_every_value_is_as_likely_as_the_others() -> None:
    counts = Counter(Draws(sample_key(0, "train", index)).choice("0123456789") for index in range(20_000))
    # Chi-squared with 9 degrees of freedom passes 27.9 once in a thousand times; these draws never change.
    assert sum((count - 2_000) ** 2 / 2_000 for count in counts.values()) < 27.9
