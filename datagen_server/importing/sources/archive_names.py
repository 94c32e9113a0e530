"""Names of files in archives, as they can be used."""

import zipfile
from errno import ENOENT

from datagen_server.importing.sources.file_tree import Unread, is_inside, printable, unreadable
from datagen_server.importing.sources.reasons import Reason
from shared.images.decode import PictureError

_ZIP_UTF8 = 0x800


def not_there() -> PictureError:
    """The error for a name that an archive does not have."""
    return unreadable(FileNotFoundError(ENOENT, "it is not in the archive"))


def tidy(name: str) -> str:
    """Without the "./" that many archives begin each name with."""
    while name.startswith("./"):
        name = name[2:].lstrip("/")
    return name


def is_hidden(name: str) -> bool:
    """Of Unix, or of the Macintosh."""
    parts = name.split("/")
    return any(part.startswith(".") and part != ".." for part in parts) or parts[0] == "__MACOSX"


def problem_of(name: str) -> Unread | None:
    """Why a member with that name is not read; None: it is."""
    if not name:
        return Unread(".", Reason.NOT_TEXT, "it has no name")
    if not is_inside(name.replace("\\", "/")):
        return Unread(printable(name), Reason.OUTSIDE_SOURCE, "its path leaves the archive")
    try:
        name.encode()
    except UnicodeEncodeError:
        return Unread(printable(name), Reason.NOT_TEXT, "its name is not UTF-8; rename it")
    return None


def zip_name(member: zipfile.ZipInfo) -> str:
    """A zip that does not say that its names are UTF-8 has such, or GBK; zipfile takes them for code page 437."""
    if member.flag_bits & _ZIP_UTF8 or member.filename.isascii():
        return member.filename
    stored = member.filename.encode("cp437", "replace")
    for encoding in ("utf-8", "gb18030"):
        try:
            return stored.decode(encoding)
        except UnicodeDecodeError:
            continue
    return member.filename
