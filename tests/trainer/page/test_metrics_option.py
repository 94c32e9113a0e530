"""Where ranks answer Prometheus."""

from pathlib import Path

import pytest

from shared.errors import UsageError
from shared.system.listen_address import ListenAddress
from trainer.cli import main
from trainer.page.metrics_option import metrics_address_of_rank


def test_each_rank_has_a_port_of_its_own() -> None:
    assert metrics_address_of_rank(None, 3) is None
    assert metrics_address_of_rank(ListenAddress("127.0.0.1", 0), 3) == ListenAddress("127.0.0.1", 0)
    assert metrics_address_of_rank(ListenAddress("127.0.0.1", 9470), 3) == ListenAddress("127.0.0.1", 9473)
    with pytest.raises(UsageError, match="leaves no port for rank 7"):
        metrics_address_of_rank(ListenAddress("127.0.0.1", 65530), 7)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--metrics-listen", "0.0.0.0:9470"], "or add --metrics-listen-insecure if that is meant"),
        (["--metrics-listen", "here"], "--metrics-listen must be HOST:PORT"),
        (["--metrics-listen-insecure"], "--metrics-listen-insecure is for --metrics-listen; give that too"),
    ],
)
def test_where_it_may_not_listen_is_refused_in_one_line(arguments: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        main(["--datagen", "127.0.0.1:1", "--run-dir", str(tmp_path / "run"), *arguments])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
