from pathlib import Path

import pytest

from datagen_server.cli import main
from shared.errors import UsageError

ANYWHERE = "--listen", "127.0.0.1:0"
"Somebody's service may be running at the default address."


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["serve", *ANYWHERE, "--shards", "DIR", "--count", "train=5"], "--count is for rendering"),
        (["serve", *ANYWHERE, "--shards", "DIR", "--workers", "5"], "--workers is for rendering"),
        (["serve", *ANYWHERE, "--shards", "/nowhere"], "/nowhere is not a directory of shards"),
        (["materialize", "--out", "DIR", "--executor", "dask"], "--executor dask needs --scheduler"),
        (["materialize", "--out", "DIR", "--scheduler", "tcp://x:1"], "--scheduler is for --executor dask"),
        (["materialize", "--out", "DIR", "--count", "train=5"], "shards of another data set"),
        (["materialize", "--out", "/dev/null"], "cannot make the directory /dev/null"),
        (["verify", "/nowhere"], "cannot open the directory /nowhere"),
        (["export", "--shards", "DIR", "--format", "png", "--out", "DIR"], "is there already and not empty"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(shards: Path, arguments: list[str], words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        main([argument.replace("DIR", str(shards)) for argument in arguments])
    assert "\n" not in str(caught.value)
