"""What was exported is imported back as it was, in every layout."""

import shutil
from pathlib import Path
from unicodedata import normalize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen_server.exporting.export import export
from datagen_server.exporting.layouts import LAYOUTS
from datagen_server.shards.manifest import Manifest
from datagen_server.sources.shard_source import ShardSource
from shared.dataset.spec import DatasetSpec
from shared.protocol.codec import Codec
from tests.datagen_server.importing.running import contents, imported, samples_of
from tests.datagen_server.importing.sources.building import write
from tests.datagen_server.shards.building import build, plan_of
from tests.shared.images.files import picture_file

CHARACTERS = st.characters(codec="utf-8", categories=("L", "N", "P", "S"), exclude_characters="/")
# A few characters are two in normal form: a letter and a mark, of which no class is made.
LABELS = st.text(CHARACTERS.filter(lambda one: len(normalize("NFC", one)) == 1), min_size=1, max_size=12)


def exported(shards: Path, out: Path, layout: str) -> Path:
    source = ShardSource(shards)
    export(source, out, layout, ())
    source.close()
    return out


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("codec", Codec)
def test_rendered_samples_come_back(layout: str, codec: Codec, tmp_path: Path) -> None:
    spec = DatasetSpec(width=40, height=24, alphabet="0a_-. "[:5], max_length=4)
    build(tmp_path / "shards", plan_of(spec, {"train": 30, "test": 12}, codec))
    facts = imported(exported(tmp_path / "shards", tmp_path / "exported", layout), out=tmp_path / "back")
    assert contents(samples_of(tmp_path / "back")) == contents(samples_of(tmp_path / "shards"))
    assert facts["skipped"] == facts["duplicates"]
    assert facts["size"] == [40, 24]
    if layout != "png":
        assert facts["alphabet"] == spec.alphabet


@settings(max_examples=15)
@given(st.lists(LABELS, min_size=1, max_size=8), st.sampled_from(sorted(LAYOUTS)), st.booleans())
def test_imported_pictures_come_back_under_any_label(
    tmp_path_factory: pytest.TempPathFactory, labels: list[str], layout: str, spaced: bool
) -> None:
    folder = tmp_path_factory.mktemp("law")
    texts = [f"{label} {label}" if spaced else label for label in labels]
    lines = "".join(f"{number}.png\t{text}\n" for number, text in enumerate(texts))
    files = {f"{number}.png": picture_file(30, 20, seed=number) for number in range(len(texts))}
    write(folder / "data", {**files, "gt_train.txt": lines})
    try:
        first = imported(folder / "data", out=folder / "first")
        back = imported(exported(folder / "first", folder / "exported", layout), out=folder / "back")
        assert contents(samples_of(folder / "back")) == contents(samples_of(folder / "first"))
        assert back["fingerprint"] == first["fingerprint"]
        manifests = [Manifest.read(folder / name) for name in ("first", "back")]
        assert manifests[0] == manifests[1]
    finally:
        shutil.rmtree(folder)
