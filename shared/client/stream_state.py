"""The place of a stream as plain values, to be saved with whatever was computed from its batches.

A state holds what decides the global batches, and the next step. Not the rank nor the number of ranks: a run may go on
with another number of them and read the same global batches.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from shared.errors import UsageError
from shared.protocol.request import StreamRequest

StreamState = dict[str, Any]
"Strings, integers and booleans by name, fit for JSON."


def state_of(request: StreamRequest, step: int) -> StreamState:
    """The state of a stream of `request` whose next step is `step`."""
    return {**_identity(request), "epoch": request.epoch, "step": step}


def resumed(request: StreamRequest, state: Mapping[str, Any]) -> StreamRequest:
    """`request` from the place of `state` on, to the end of that epoch.

    Raises `UsageError` when the state is of another data set or of other global batches, naming what differs.
    """
    for name, own in _identity(request).items():
        if state.get(name) != own:
            raise UsageError(f"the saved state has {name} {state.get(name)!r}, this stream {own!r}")
    step = state.get("step")
    if not isinstance(step, int) or not 0 <= step <= request.rank_slice.num_steps:
        raise UsageError(f"the saved state must have a step in 0..{request.rank_slice.num_steps}, got {step!r}")
    return replace(request, epoch=state["epoch"], first_step=step, num_steps=0)


def _identity(request: StreamRequest) -> StreamState:
    return {
        "fingerprint": request.dataset.fingerprint,
        "split": request.split,
        "split_count": request.count,
        "order_seed": request.order_seed,
        "shuffle": request.shuffle,
        "global_batch_size": request.global_batch_size,
        "remainder": request.remainder.value,
    }
