"""The protocol of everything that pictures with labels are imported from."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from datagen_server.importing.sources.reasons import Reason


class PictureEntry(NamedTuple):
    """One picture that a source lists, or one thing of which it can only say why it gives no picture.

    A tuple, because there are millions.
    """

    name: str
    "Within the source; what `PictureSource.read` takes."
    split: str | None = None
    "train, valid or test where the source says so."
    label: str = ""
    "As the source has it; rules for labels are applied later."
    reason: Reason | None = None
    "Why it can be no sample, if that is known without its bytes."
    detail: str = ""
    "What a person should know of `reason`."


class PictureSource(Protocol):
    """Lists pictures and reads them. To be used by one thread.

    The law, checked by one contract suite over all sources: listing twice gives the same entries; every name of an
    entry without a reason can be read; nothing is left out silently.
    """

    @property
    def origin(self) -> str:
        """What the user named."""
        ...

    @property
    def kind(self) -> str:
        """names, labels, webdataset or ocr-lmdb."""
        ...

    @property
    def notes(self) -> Sequence[str]:
        """What a person should know: how it was understood, what was ignored. Complete once all entries were listed."""
        ...

    def entries(self) -> Iterator[PictureEntry]:
        """All pictures, in the same order each time."""
        ...

    def read(self, name: str) -> bytes:
        """The file of one picture; raises `PictureError`."""
        ...

    def path_of(self, name: str) -> str | None:
        """Where any process on this machine can read the file of one picture by itself; None: only `read` can."""
        ...

    def close(self) -> None:
        """Lets go of files."""
        ...
