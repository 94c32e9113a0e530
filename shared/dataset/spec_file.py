"""Specs and styles as YAML files, for people to write and read.

A file says what a spec's mapping says, in three things more freely: an alphabet may be one of the names (`digits`), a
font may be the path of its file, seen from the YAML file's folder, and JSON will do, since YAML reads it. A printed
spec holds its fonts by name and SHA-256, and their paths as a hint. What
surprises: YAML itself is taken strictly. Keys that come twice, anchors and tags are refused.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from shared.dataset.alphabet import NAMED_ALPHABETS, named_alphabet
from shared.dataset.field_types import shown
from shared.dataset.fonts import NO_FONTS, FontFile, FontFiles
from shared.dataset.spec import DatasetSpec
from shared.errors import UsageError

MAX_FILE_BYTES = 1 << 20


def read_spec_file(path: Path) -> tuple[dict[str, Any], FontFiles]:
    """What `DatasetSpec.from_mapping` takes, not yet checked, and the font files that it names.

    Raises `UsageError`, naming the file, for what is no YAML mapping and for fonts that cannot be read.
    """
    values = _read_yaml(path)
    if not isinstance(values, dict):
        raise UsageError(f"{path} must hold a mapping such as 'alphabet: digits', got {shown(values)}")
    files = FontFiles()
    if isinstance(values.get("alphabet"), str):
        values["alphabet"] = named_alphabet(values["alphabet"])
    elif isinstance(values.get("alphabet"), list):
        values["alphabet"] = _joined(path, values["alphabet"])
    if isinstance(values.get("styles"), list):
        values["styles"], files = _with_fonts(path, values["styles"])
    return values, files


def read_style_file(path: Path) -> tuple[list[Any], FontFiles]:
    """The styles of a file that holds one, or a list of several; the rest as `read_spec_file`."""
    values = _read_yaml(path)
    if not isinstance(values, dict | list):
        raise UsageError(f"{path} must hold a style such as 'noise_dots: 60', or a list of styles, got {shown(values)}")
    return _with_fonts(path, values if isinstance(values, list) else [values])


def dump_spec(spec: DatasetSpec, font_files: FontFiles = NO_FONTS) -> str:
    """The spec as YAML that `read_spec_file` reads again; fonts by name, SHA-256 and, where it is given, path."""
    values = spec.to_mapping()
    paths = {file.font.sha256: str(file.path) for file in font_files.files}
    for font in (font for style in values.get("styles", ()) for font in style.get("fonts", ())):
        if font["sha256"] in paths:
            font["path"] = paths[font["sha256"]]
    if spec.alphabet in NAMED_ALPHABETS:
        values["alphabet"] = list(spec.alphabet)
    for name, characters in NAMED_ALPHABETS.items():
        if spec.alphabet == characters:
            values["alphabet"] = name
    text: str = yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return text


class _Dumper(yaml.SafeDumper):
    """Lists of plain values on one line."""

    def represent_sequence(self, tag: str, sequence: Any, flow_style: bool | None = None) -> yaml.SequenceNode:
        on_one_line = not any(isinstance(item, list | dict) for item in sequence)
        return super().represent_sequence(tag, sequence, flow_style=on_one_line)


class _Loader(yaml.SafeLoader):
    """Refuses what a spec has no use for."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise yaml.MarkedYAMLError(problem="anchors and aliases are not taken", problem_mark=event.start_mark)
        node: yaml.Node | None = super().compose_node(parent, index)
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            if key_node.value in seen:
                problem = f"the key {shown(key_node.value)} comes twice"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key_node.start_mark)
            seen.add(key_node.value if isinstance(key_node, yaml.ScalarNode) else id(key_node))
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


def _read_yaml(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise UsageError(f"{path} must be at most {MAX_FILE_BYTES >> 20} MiB")
        return yaml.load(data.decode(), _Loader)  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} must be text in UTF-8, got byte {data[error.start]:#x} at {error.start}") from error
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UsageError(f"{path}{line}: {error.problem}") from error
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise UsageError(f"{path} is not YAML: {shown(str(error))}") from error


def _joined(path: Path, characters: list[Any]) -> str:
    for character in characters:
        if not isinstance(character, str) or len(character) != 1:
            raise UsageError(f"{path}: alphabet must be a list of single characters, got {shown(character)}")
    return "".join(characters)


def _with_fonts(path: Path, styles: list[Any]) -> tuple[list[Any], FontFiles]:
    """The styles with paths of fonts replaced by what a spec holds of them, and the files found."""
    files: list[FontFile] = []

    def font_of(value: Any) -> Any:
        if isinstance(value, str):
            files.append(FontFile.read(path.parent / value))
            return asdict(files[-1].font)
        if isinstance(value, dict) and isinstance(value.get("name"), str):
            noted = value.get("path")
            places = [Path(noted)] if isinstance(noted, str) else []
            files.extend(FontFile.read(place) for place in (*places, path.parent / value["name"]) if place.is_file())
            return {key: item for key, item in value.items() if key != "path"}
        return value

    def style_of(style: Any) -> Any:
        if isinstance(style, Mapping) and isinstance(style.get("fonts"), list):
            return {**style, "fonts": [font_of(value) for value in style["fonts"]]}
        return style

    return [style_of(style) for style in styles], FontFiles(tuple(dict.fromkeys(files)))
