"""What `python -m evaluator predict` does once its arguments are read."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evaluator.image_file import InputImage, open_image, printable
from shared.errors import UsageError
from shared.recogniser.checkpoint_info import find_checkpoint, read_info
from shared.recogniser.device import set_device
from shared.recogniser.predictor import NETWORK_BATCH_SIZE, Predictor
from shared.system.command_line import progress
from shared.system.signals import uninterrupted


@dataclass(frozen=True)
class Prediction:
    """What the network predicts for one image."""

    text: str
    confidence: float
    "In 0..1."


def run(options: argparse.Namespace) -> int:
    """Predicts and prints; returns the exit code: 2 when a file could not be used."""
    checkpoint = find_checkpoint(options.ckpt)
    info = read_info(checkpoint)
    spec = info.dataset_spec()
    set_device(options.device)
    images, problems = _open_all(options.images, spec.width, spec.height)
    predictions: list[Prediction] = []
    if images:
        with uninterrupted():
            predictor = Predictor(checkpoint, info, options.device)
            predictor.warm_up()
        predictions = _predict_all(predictor, images)
    if options.json:
        print(json.dumps(_as_json(checkpoint, images, predictions, problems)))
    else:
        _show(images, predictions)
    return UsageError.exit_code if problems else 0


def _open_all(files: Sequence[Path], width: int, height: int) -> tuple[list[InputImage], list[tuple[Path, str]]]:
    """The images that can be used; the other files with their problem, which is also printed at once."""
    images, problems = [], []
    for file in files:
        try:
            images.append(open_image(file, width, height))
        except UsageError as error:
            print(f"predict: {error}", file=sys.stderr)
            problems.append((file, str(error)))
    return images, problems


def _predict_all(predictor: Predictor, images: Sequence[InputImage]) -> list[Prediction]:
    predictions: list[Prediction] = []
    with progress("predict", len(images), "images") as advance:
        for first in range(0, len(images), NETWORK_BATCH_SIZE):
            group = images[first : first + NETWORK_BATCH_SIZE]
            batch = predictor.predict(np.stack([image.pixels for image in group]))
            predictions += map(Prediction, batch.texts, batch.confidences.tolist())
            advance(len(group))
    return predictions


def _as_json(
    checkpoint: Path,
    images: Sequence[InputImage],
    predictions: Sequence[Prediction],
    problems: Sequence[tuple[Path, str]],
) -> dict[str, Any]:
    """What --json prints."""
    return {
        "checkpoint": str(checkpoint),
        "images": [
            {
                "file": printable(image.file),
                "reading": prediction.text,
                "confidence": prediction.confidence,
                "resized": image.is_resized,
            }
            for image, prediction in zip(images, predictions, strict=True)
        ],
        "problems": [{"file": printable(file), "problem": problem} for file, problem in problems],
    }


def _show(images: Sequence[InputImage], predictions: Sequence[Prediction]) -> None:
    """A line for each image: file, text, confidence, and whether it was resized."""
    name_width = max((len(printable(image.file)) for image in images), default=0)
    for image, prediction in zip(images, predictions, strict=True):
        height, width, _ = image.pixels.shape
        original = "x".join(map(str, image.original_size))
        resized = f"  resized from {original} to {width}x{height}" if image.is_resized else ""
        text = prediction.text or "(nothing)"
        print(f"{printable(image.file):{name_width}}  {text:9}  confidence {prediction.confidence:6.1%}{resized}")
