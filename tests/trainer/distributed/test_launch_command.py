"""The command line and environment of msrun."""

import json
from pathlib import Path

import pytest

from shared.security.credentials import Access
from shared.system.listen_address import ListenAddress
from tests.trainer.distributed.test_placement import _table
from trainer.distributed.launch_command import LaunchCommand
from trainer.distributed.placement import Placement, place_by_table, place_on_this_host
from trainer.page.metrics_option import PageOptions


def command_of(placement: Placement, folder: Path, device: str = "cpu") -> LaunchCommand:
    return LaunchCommand(
        placement=placement,
        run_dir=folder / "run",
        logs=folder,
        access=Access("127.0.0.1:50051"),
        device=device,
        pages=PageOptions(ListenAddress("127.0.0.1", 9470), "http://127.0.0.1:9464"),
        patience_s=60.0,
    )


def test_the_ranks_get_the_service_their_number_and_the_metrics_address(tmp_path: Path) -> None:
    arguments = command_of(place_on_this_host(2), tmp_path).arguments()
    assert "--worker_num=2" in arguments
    assert arguments[-3:] == ["--expect", "0", "1"]
    for option, value in (("--datagen", "127.0.0.1:50051"), ("--ranks", "2"), ("--metrics-listen", "127.0.0.1:9470")):
        assert arguments[arguments.index(option) + 1] == value
    assert not (tmp_path / "rank_table.json").exists()


def test_a_table_is_written_for_msrun_and_its_host_named_to_the_ranks(tmp_path: Path) -> None:
    placement = place_by_table(_table(tmp_path, "198.51.100.7", "198.51.100.8"), 1, None, None)
    command = command_of(placement, tmp_path)
    assert f"--rank_table_file={tmp_path / 'rank_table.json'}" in command.arguments()
    servers = json.loads((tmp_path / "rank_table.json").read_text())["server_list"]
    assert [server["pod_ip"] for server in servers] == ["198.51.100.7", "198.51.100.8"]
    assert command.environment()["MS_WORKER_IP"] == "198.51.100.8"


@pytest.mark.parametrize(
    ("device", "variable"), [("ascend", "ASCEND_RT_VISIBLE_DEVICES"), ("gpu", "CUDA_VISIBLE_DEVICES")]
)
def test_ranks_see_the_devices_of_this_host_and_nothing_of_another_launcher(
    device: str, variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK_TABLE_FILE", "another")
    environment = command_of(place_on_this_host(2), tmp_path, device).environment()
    assert environment[variable] == "0,1"
    assert "RANK_TABLE_FILE" not in environment
