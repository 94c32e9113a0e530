"""Why a picture is skipped."""

from enum import Enum

from shared.images.decode import PictureProblem


class Reason(Enum):
    """The values are stable names: keys of `import-report.json`."""

    EMPTY_LABEL = "empty_label"
    NO_LABEL = "no_label"
    NOT_TEXT = "label_not_text"
    CONTROL_CHARACTER = "control_character_in_label"
    SPACE_AT_END = "space_at_end_of_label"
    OUTSIDE_ALPHABET = "character_outside_alphabet"
    TOO_LONG = "label_too_long"
    MALFORMED_LINE = "malformed_line"
    MISSING_PICTURE = "missing_picture"
    OUTSIDE_SOURCE = "path_outside_source"
    UNREADABLE_FOLDER = "unreadable_folder"
    DAMAGED_SOURCE = "damaged_source"
    NO_SPLIT = "no_split"
    UNREADABLE_FILE = PictureProblem.UNREADABLE_FILE.value
    NOT_A_PICTURE = PictureProblem.NOT_A_PICTURE.value
    DAMAGED_PICTURE = PictureProblem.DAMAGED.value
    TOO_LARGE = PictureProblem.TOO_LARGE.value
    CONTRADICTION = "contradicting_labels"
    DUPLICATE = "duplicate"

    @property
    def is_fault(self) -> bool:
        """Whether something is wrong with the source; a duplicate is only not needed."""
        return self is not Reason.DUPLICATE

    @property
    def text(self) -> str:
        """For people."""
        return self.value.replace("_", " ")
