"""What `python -m evaluator predict` does once its arguments are read.

Note: pictures are opened, predicted and shown a batch at a time, so memory does not limit how many there are.
"""

import argparse
import csv
import io
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluator.picture_list import picture_files
from shared.errors import UsageError
from shared.recogniser import load
from shared.recogniser.image_reader import BATCH_SIZE, ImageReader, Reading, printable
from shared.system.atomic_file import write_atomic
from shared.system.progress import announced
from shared.system.signals import uninterrupted

_COLUMNS = ("file", "text", "confidence", "character_confidences", "problem")


@dataclass(frozen=True)
class Prediction:
    """One line of the result."""

    file: str
    "As it can be printed."
    reading: Reading | None = None
    "None where the file could not be used."
    original_size: tuple[int, int] = (0, 0)
    "Width and height."
    problem: str = ""


def run(options: argparse.Namespace) -> int:
    """Predicts and prints; returns the exit code: 2 when a file could not be used."""
    if options.csv is not None:
        _check_csv(options.csv)
    with announced("loading the network"), uninterrupted():
        reader = load(options.ckpt, options.device)
    predictions: list[Prediction] = []
    for prediction in _predict_all(reader, picture_files(options.pictures, sys.stdin)):
        predictions.append(prediction)
        if prediction.problem:
            print(f"predict: {prediction.problem}", file=sys.stderr)
        elif not options.json:
            print(_line(prediction, reader.image_size), flush=True)
    if options.csv is not None:
        _write_csv(options.csv, predictions)
    if options.json:
        print(json.dumps(_as_json(options.ckpt, predictions, reader.image_size)))
    if not predictions:
        raise UsageError("there is no picture to predict: standard input lists none")
    return UsageError.exit_code if any(prediction.problem for prediction in predictions) else 0


def _predict_all(reader: ImageReader, files: Iterator[Path | UsageError]) -> Iterator[Prediction]:
    """In the order of the files; problems come a little sooner, when the file is opened."""
    names: list[str] = []
    images: list[NDArray[np.uint8]] = []
    for file in files:
        try:
            if isinstance(file, UsageError):
                raise file
            images.append(reader.open(file))
            names.append(printable(file))
        except UsageError as error:
            yield Prediction("" if isinstance(file, UsageError) else printable(file), problem=str(error))
        if len(images) == BATCH_SIZE:
            yield from _predict_batch(reader, names, images)
            names, images = [], []
    if images:
        yield from _predict_batch(reader, names, images)


def _predict_batch(reader: ImageReader, names: list[str], images: list[NDArray[np.uint8]]) -> Iterator[Prediction]:
    for name, image, reading in zip(names, images, reader.predict(images), strict=True):
        yield Prediction(name, reading, (image.shape[1], image.shape[0]))


def _line(prediction: Prediction, size: tuple[int, int]) -> str:
    """File, text, confidences, and whether the picture was fitted."""
    reading = prediction.reading
    if reading is None or not reading.text:
        found = "nothing: no character found"
    else:
        characters = zip(reading.text, reading.character_confidences, strict=True)
        each = "  ".join(f"{character} {confidence:.0%}" for character, confidence in characters)
        found = f"{reading.text}  confidence {reading.confidence:.1%}  ({each})"
    original = "x".join(map(str, prediction.original_size))
    fitted = f"  fitted from {original} to {size[0]}x{size[1]}" if prediction.original_size != size else ""
    return f"{prediction.file}  {found}{fitted}"


def _as_json(checkpoint: Path, predictions: list[Prediction], size: tuple[int, int]) -> dict[str, Any]:
    """What --json prints."""
    return {
        "checkpoint": str(checkpoint),
        "images": [
            {
                "file": each.file,
                "reading": each.reading.text,
                "confidence": each.reading.confidence,
                "character_confidences": list(each.reading.character_confidences),
                "resized": each.original_size != size,
            }
            for each in predictions
            if each.reading is not None
        ],
        "problems": [{"file": each.file, "problem": each.problem} for each in predictions if each.problem],
    }


def _check_csv(file: Path) -> None:
    if file.is_dir():
        raise UsageError(f"--csv must be a file, but {file} is a folder")
    if not file.absolute().parent.is_dir():
        raise UsageError(f"cannot write {file}: there is no folder {file.absolute().parent}; make it first")


def _write_csv(file: Path, predictions: list[Prediction]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for each in predictions:
        if each.reading is None:
            writer.writerow([each.file, "", "", "", each.problem])
        else:
            characters = " ".join(f"{confidence:.6f}" for confidence in each.reading.character_confidences)
            writer.writerow([each.file, each.reading.text, f"{each.reading.confidence:.6f}", characters, ""])
    try:
        write_atomic(file, text.getvalue())
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}") from error
