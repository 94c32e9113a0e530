import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shared.dataset.fit import Fit
from shared.images.fit import fit_picture
from tests.shared.images.files import pixels

FIT_MODES = ("pad", "stretch", "crop")
RESAMPLINGS = ("nearest", "bilinear", "bicubic", "lanczos")
SIDES = st.integers(1, 300)


@given(SIDES, SIDES, st.sampled_from(FIT_MODES), st.sampled_from(RESAMPLINGS), SIDES, SIDES)
def test_every_picture_gets_the_size(
    width: int, height: int, mode: str, resampling: str, to_width: int, to_height: int
) -> None:
    fitted = fit_picture(pixels(width, height), to_width, to_height, Fit(mode=mode, resampling=resampling))
    assert fitted.shape == (to_height, to_width, 3)
    assert fitted.dtype == np.uint8


@given(SIDES, SIDES, st.sampled_from(FIT_MODES))
def test_a_picture_of_the_right_size_is_left_alone(width: int, height: int, mode: str) -> None:
    image = pixels(width, height)
    assert np.array_equal(fit_picture(image, width, height, Fit(mode=mode)), image)


@given(SIDES, SIDES, st.sampled_from(FIT_MODES))
def test_a_picture_of_one_colour_stays_so_but_for_the_ground(width: int, height: int, mode: str) -> None:
    red = np.full((height, width, 3), (200, 10, 20), np.uint8)
    fitted = fit_picture(red, 60, 30, Fit(mode=mode, ground=(0, 0, 255)))
    is_ground = (fitted == (0, 0, 255)).all(axis=2)
    assert (fitted[~is_ground] == (200, 10, 20)).all()
    assert mode == "pad" or not is_ground.any()


def test_pad_keeps_the_aspect_and_centres() -> None:
    fitted = fit_picture(np.full((10, 40, 3), 255, np.uint8), 80, 60, Fit(ground=(0, 0, 0)))
    rows = np.flatnonzero(fitted.any(axis=(1, 2)))
    assert (rows[0], rows[-1], len(rows)) == (20, 39, 20)
    fitted = fit_picture(np.full((60, 10, 3), 255, np.uint8), 80, 30, Fit(ground=(0, 0, 0)))
    columns = np.flatnonzero(fitted.any(axis=(0, 2)))
    assert (columns[0], len(columns)) == (37, 5)


def test_crop_keeps_the_middle() -> None:
    image = np.zeros((20, 80, 3), np.uint8)
    image[:, 30:50] = 255
    assert (fit_picture(image, 20, 20, Fit(mode="crop")) == 255).all()


def test_a_thread_of_pixels_costs_no_more_than_its_target() -> None:
    thread = np.zeros((500_000, 1, 3), np.uint8)
    assert fit_picture(thread, 1024, 16, Fit(mode="crop")).shape == (16, 1024, 3)
