"""The command `import`, as it is typed."""

import json
from pathlib import Path

import pytest

from datagen_server.cli import main
from datagen_server.shards.manifest import Manifest
from shared.errors import StreamingError, UsageError
from tests.datagen_server.commands.running import run
from tests.datagen_server.importing.sources.building import by_label, lines, listed, write
from tests.datagen_server.shards.building import damage_record
from tests.shared.images.files import picture_file


@pytest.fixture
def data(tmp_path: Path) -> Path:
    files = {f"{n % 7}a_{n}.png": picture_file(seed=n) for n in range(50)}
    return write(tmp_path / "data", {**files, "bad_1.png": b"text"})


def imported(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    assert main(["import", *arguments, "--workers", "1", "--json"]) == 0
    return dict(json.loads(capsys.readouterr().out))


def test_it_tells_what_was_taken_and_what_was_not(data: Path, tmp_path: Path) -> None:
    done = run("import", str(data), "--out", str(tmp_path / "out"), "--workers", "1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "labels from file names like LABEL_NUMBER.png" in done.stdout
    assert "splits by the pixels of each picture: 10% test, 10% valid" in done.stdout
    assert "1  not a picture" in done.stdout
    assert "bad_1.png: is not a PNG, JPEG, WebP, BMP or GIF picture" in done.stdout
    assert run("verify", str(tmp_path / "out")).returncode == 0
    assert run("inspect", "--shards", str(tmp_path / "out"), "--split", "train", "--index", "0").returncode == 0


def test_json_is_the_report(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = imported(capsys, str(data), "--out", str(tmp_path / "out"))
    assert facts == json.loads((tmp_path / "out" / "import-report.json").read_text())


def test_every_option_reaches_the_data_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "a", {**listed(), "list.txt": lines("\t") + "images/0.png\t ab \n"})
    write(tmp_path / "b", {"x-ABC.png": picture_file(seed=50)})
    (tmp_path / "map.txt").write_text("1 I\n4 A\n")
    arguments = ["--split", f"train={tmp_path}/a/list.txt", "--out", str(tmp_path / "out")]
    arguments += ["--size", "64x32", "--fit", "crop", "--ground", "navy", "--resampling", "lanczos", "--strip"]
    arguments += ["--case", "upper", "--map", str(tmp_path / "map.txt"), "--alphabet", "ABC2I"]
    arguments += ["--codec", "png", "--shard-size", "2"]
    facts = imported(capsys, *arguments)
    assert facts["reasons"] == {"contradicting_labels": 2}
    plan = Manifest.read(tmp_path / "out").plan
    assert plan.dataset.spec.fit is not None
    assert plan.dataset.spec.fit.to_mapping() == {"mode": "crop", "ground": [0, 0, 128], "resampling": "lanczos"}
    assert (plan.codec.value, plan.shard_size, facts["size"], facts["alphabet"]) == ("png", 2, [64, 32], "ABC2I")
    pattern = ["--label-pattern", "^x-(?P<label>[A-Z]+)$", "--test-share", "0", "--valid-share", "0"]
    facts = imported(capsys, str(tmp_path / "b"), *pattern, "--out", str(tmp_path / "named"))
    assert (facts["alphabet"], facts["splits"]) == ("ABC", {"train": 1})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "import needs a SOURCE"),
        (["none"], "none does not exist"),
        (["--split", "none"], "--split must look like train=FOLDER"),
        (["--split", "Train=x"], "--split must look like train=FOLDER"),
        (["x", "--ground", "whitish"], "a colour must look like #ffffff"),
        (["x", "--alphabet", "aa"], "distinct"),
        (["x", "--map", "none"], "cannot read none"),
        (["x", "--label-pattern", "(", "--from", "labels"], "--label-pattern is for labels in file names"),
        (["x", "--scheduler", "tcp://nowhere"], "--scheduler is for --executor dask"),
    ],
)
def test_bad_usage_is_one_line(
    arguments: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "x", by_label())
    with pytest.raises(UsageError, match=words.replace("(", r"\(")):
        main(["import", *arguments, "--out", "out"])


@pytest.mark.parametrize(
    "arguments",
    [
        ["--valid-share", "1.5"],
        ["--valid-share", "0.5", "--test-share", "0.6"],
        ["--test-share", "nan"],
        ["--size", "8x8"],
        ["--size", "2000x64"],
    ],
)
def test_impossible_values_are_one_line(arguments: list[str], data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        main(["import", str(data), "--out", str(tmp_path / "out"), "--workers", "1", *arguments])


def test_strict_ends_with_code_1(data: Path, tmp_path: Path) -> None:
    with pytest.raises(StreamingError, match="1 pictures are faulty, and --strict allows none") as caught:
        main(["import", str(data), "--out", str(tmp_path / "out"), "--workers", "1", "--strict"])
    assert caught.value.exit_code == 1


def test_verify_repairs_from_the_source(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    imported(capsys, str(data), "--out", str(out))
    plan = Manifest.read(out).plan
    damage_record(out, plan, plan.shards[0], 0)
    assert main(["verify", str(out)]) == 1
    assert main(["verify", str(out), "--repair"]) == 1
    assert "name what they were imported from with --source" in capsys.readouterr().out
    assert main(["verify", str(out), "--repair", "--source", str(data)]) == 0
    with pytest.raises(UsageError, match="--source is for --repair"):
        main(["verify", str(out), "--source", str(data)])
