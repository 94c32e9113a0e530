import numpy as np
import pytest

from datagen_server.rendering.contact_sheet import contact_sheet
from datagen_server.rendering.renderer import CaptchaRenderer
from shared.dataset.spec import DatasetSpec

SPEC = DatasetSpec(width=24, height=16)


def render(num_images: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    renderer = CaptchaRenderer(SPEC)
    return np.stack([renderer.render("train", index)[0] for index in range(num_images)])


@pytest.mark.parametrize(("num_images", "columns"), [(1, 8), (7, 3), (8, 4), (9, 4)])
def test_every_image_is_on_the_sheet_once_in_reading_order(num_images: int, columns: int) -> None:
    images = render(num_images)
    sheet = np.asarray(contact_sheet(images, ["x"] * num_images, columns))
    height, width, _ = SPEC.image_shape
    windows = np.lib.stride_tricks.sliding_window_view(sheet, (height, width, 3))[:, :, 0]
    places = []
    for image in images:
        (place,) = np.argwhere((windows == image).all(axis=(2, 3, 4)))
        places.append(tuple(place))
    rows = sorted({top for top, _ in places})
    assert places == sorted(places)
    assert len(rows) == -(-num_images // columns)
    assert [sum(top == row for top, _ in places) for row in rows[:-1]] == [columns] * (len(rows) - 1)


def test_a_caption_wider_than_its_image_makes_room_for_itself() -> None:
    images = render(4)
    narrow, wide = contact_sheet(images, ["1"] * 4, 4), contact_sheet(images, ["1" * 16] * 4, 4)
    assert wide.width > narrow.width
    assert wide.height == narrow.height


def test_captions_show_below_their_images() -> None:
    images = np.full((2, 30, 50, 3), 255, np.uint8)
    plain, captioned = (np.asarray(contact_sheet(images, captions, 2)) for captions in (["", ""], ["", "42"]))
    different = np.argwhere((plain != captioned).any(axis=2))
    assert different[:, 0].min() >= 40
    assert different[:, 1].min() >= 60


def test_each_image_needs_a_caption() -> None:
    with pytest.raises(ValueError, match="shorter"):
        contact_sheet(render(2), ["1"])
