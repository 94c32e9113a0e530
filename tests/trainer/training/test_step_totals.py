"""Sums over steps and what is computed from them."""

import numpy as np

from trainer.training.step_totals import StepTotals


def test_totals_add_up_and_give_each_ranks_share_of_waiting() -> None:
    totals = StepTotals()
    for waits in ([0.5, 0.0], [0.5, 1.0]):
        totals += StepTotals(1, 3.0, 2.0, np.array(waits, np.float32), 2.0)
    assert (totals.steps, totals.loss, totals.grad_norm, totals.time_s) == (2, 6.0, 4.0, 4.0)
    assert totals.wait_shares() == [0.25, 0.25]
    assert totals.images_per_s(64) == 32.0


def test_no_step_is_no_division_by_zero() -> None:
    assert StepTotals().wait_shares() == [0.0]
    assert StepTotals().images_per_s(64) == 0.0
