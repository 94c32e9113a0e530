"""What the network gets of an image, measured against Pillow and the library that draws captchas."""

import mindspore as ms
import numpy as np
import pytest
from captcha.image import ImageCaptcha
from numpy.typing import NDArray
from PIL import Image

from shared.recogniser.network.preprocessing import Ink
from tests.shared.recogniser.oracle import LUMA_BT601

LIGHT, DARK = 255, 130
"With a darkest pixel of 130 or more the strength of digits is 1: nothing is scaled by it."
GROUND, FULL_INK = -0.6, 3.4
Colour = tuple[int, int, int]


def ink_of(*colours: Colour) -> NDArray[np.float32]:
    """Of an image with one pixel of each colour."""
    pixels = ms.Tensor(np.array(colours, np.uint8).reshape(1, 1, -1, 3))
    ink: NDArray[np.float32] = Ink(len(colours))(pixels).asnumpy().ravel()
    return ink


def grey(value: int) -> Colour:
    return value, value, value


def share_of(ink: float) -> float:
    """0 for the ground, 1 for full ink."""
    return (ink - GROUND) / (FULL_INK - GROUND)


def test_the_lightest_pixel_is_the_ground_and_the_darkest_full_ink() -> None:
    light, dark = ink_of(grey(LIGHT), grey(DARK))
    assert light == pytest.approx(GROUND, abs=1e-5)
    assert dark == pytest.approx(FULL_INK, abs=0.05)
    assert ink_of(grey(77), grey(77)) == pytest.approx([GROUND, GROUND], abs=1e-5)


@pytest.mark.parametrize("colour", [(255, 130, 130), (130, 255, 130), (130, 130, 255), (200, 150, 240)])
def test_colours_weigh_as_in_pillows_grey(colour: Colour) -> None:
    luma = Image.new("RGB", (1, 1), colour).convert("L").getpixel((0, 0))
    assert isinstance(luma, int)
    assert abs(np.dot(LUMA_BT601, colour) - luma) <= 0.5
    expected = (LIGHT - luma) / (LIGHT - DARK + 1)
    assert share_of(ink_of(grey(LIGHT), grey(DARK), colour)[2]) == pytest.approx(expected, abs=0.006)


@pytest.mark.parametrize("dark", [40, 70, 100, 128])
def test_a_digit_is_full_ink_though_its_mask_draws_it_pale(dark: int) -> None:
    """The library pastes a digit of this colour through a mask of `lookup_table[luma]` of 255."""
    drawn = Image.new("L", (1, 1), LIGHT)
    drawn.paste(dark, (0, 0, 1, 1), Image.new("L", (1, 1), min(ImageCaptcha.lookup_table[dark], 255)))
    digit = drawn.getpixel((0, 0))
    assert isinstance(digit, int)
    assert share_of(ink_of(grey(LIGHT), grey(dark), grey(digit))[2]) == pytest.approx(1, abs=0.03)
    paler = round(LIGHT - (LIGHT - digit) / 2)
    assert share_of(ink_of(grey(LIGHT), grey(dark), grey(paler))[2]) == pytest.approx(0.5, abs=0.03)


def test_black_does_not_divide_by_zero() -> None:
    """A strength of 0.04 at least: a digit so dark is drawn with a mask of 4%, or not at all."""
    _, dark, faint = ink_of(grey(LIGHT), grey(0), grey(250))
    assert dark == pytest.approx(FULL_INK, abs=1e-5)
    assert share_of(faint) == pytest.approx(5 / 256 / 0.04, rel=1e-4)
