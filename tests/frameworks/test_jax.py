"""The data set on a JAX device, with the real library."""

import hashlib

import numpy as np

from shared.dataset.order import EpochOrder
from tests.frameworks.environment import needs_frameworks, run
from tests.support.services import ServiceProcess
from tests.support.toys import TOY_SPEC, toy_samples

pytestmark = needs_frameworks
READER = "tests.frameworks.read_jax"


def test_batches_arrive_on_the_device_and_a_saved_state_gives_the_same_rest() -> None:
    indices = EpochOrder(1000, 0, 0).indices(np.arange(960))
    whole = [[0, step, indices[step * 64 : step * 64 + 64].tolist()] for step in range(15)]
    with ServiceProcess() as service:
        told = run(READER, target=service.target)
        first = run(READER, target=service.target, stop_after=6)
        rest = run(READER, target=service.target, state=first["state"])
    assert told["batches"] == whole
    assert told["pixels"] == hashlib.sha256(toy_samples(TOY_SPEC, "train", indices)[0].tobytes()).hexdigest()
    assert (first["batches"], first["state"]["step"], rest["batches"]) == (whole[:6], 6, whole[6:])
