"""Smears drawn while training: field number i is a function of (seed, i)."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from irnet.cells import Content
from irnet.config import GeneratedSettings, Settings
from irnet.data.coco.coco import read_coco
from irnet.data.coco.location import locate
from irnet.data.files import sha256
from irnet.data.sample import Sample
from irnet.errors import InputError
from irnet.synthetic import Cutout, compose, cut_out, generate
from irnet.synthetic.smear import VERSION, Patient
from irnet.training.crops import crops_of
from irnet.training.feed import process_context, starting_processes
from irnet.training.source import Source

GeneratedField = tuple[NDArray[np.uint8], Content]


class GeneratedFields:
    """Fields of generated smears: field number i is a function of (seed, i)."""

    def __init__(self, settings: GeneratedSettings, seed: int) -> None:
        self.settings, self.seed = settings, seed
        self.cutouts = _read_cutouts(settings.cutouts) if settings.composed else []
        self._last: tuple[int, GeneratedField] | None = None

    def __call__(self, item: int) -> GeneratedField:
        """Return the field of which training item `item` is a crop; those of one field come in a row."""
        number = item // self.settings.reuse % self.settings.images
        if self._last is None or self._last[0] != number:
            self._last = (number, self.draw(number))
        return self._last[1]

    def draw(self, number: int) -> GeneratedField:
        """Return (size, size, 3) pixels and what is on them; fields for validation re-use no cell."""
        s = self.settings
        rng = np.random.default_rng((self.seed, number))
        seed, size = int(rng.integers(2**31)), (s.size, s.size)

        layout = s.layouts[rng.integers(len(s.layouts))]
        palette = s.palettes[rng.integers(len(s.palettes))]
        if number < s.images and rng.random() < s.composed:
            return compose(seed, self.cutouts, size=size, mpp=s.mpp, layout=layout, palette=palette)

        patient = Patient.draw(seed, palette, s.abnormal)
        return generate(seed, size=size, mpp=s.mpp, layout=layout, palette=palette, patient=patient)

    def read(self, count: int, workers: int, rank: int, ranks: int) -> list[Sample]:
        """Return this rank's share of `count` fields that follow the training ones, drawn by `workers`."""
        numbers = [self.settings.images + i for i in range(rank, count, ranks)]
        if workers == 0:
            fields = list(map(self.draw, numbers))
        else:
            with ProcessPoolExecutor(min(workers, len(numbers) or 1), process_context()) as pool:
                with starting_processes():
                    drawn = pool.map(self.draw, numbers)
                fields = list(drawn)

        return [
            Sample(name=f"generated-{number}", image=image, content=truth)
            for number, (image, truth) in zip(numbers, fields, strict=True)
        ]


def open_generated(settings: Settings) -> Source:
    fields = GeneratedFields(settings.data.generated, settings.train.seed)
    cutouts = _describe_cutouts(fields)
    return Source(
        crops=crops_of(fields, settings),
        reuse=fields.settings.reuse,
        read_validation=partial(fields.read, settings.train.validate_images, settings.train.workers),
        identity={
            "source": "generated",
            "images": fields.settings.images,
            "generator": VERSION,
            "cutouts_sha256": cutouts and cutouts["sha256"],
        },
        facts={"cutouts": cutouts},
    )


def _describe_cutouts(fields: GeneratedFields) -> dict[str, Any] | None:
    if not fields.cutouts:
        return None
    file = locate(Path(fields.settings.cutouts))
    return {
        "file": f"{file.resolve().parent.name}/{file.name}",
        "sha256": sha256(file),
        "cells": len(fields.cutouts),
    }


def _read_cutouts(data: str) -> list[Cutout]:
    """Return the free-lying annotated cells of a data set."""
    found = []
    for entry in read_coco(data):
        if entry.scored:  # else a cell may overlap another that nobody outlined
            found += cut_out(entry.read())
    if not found:
        raise InputError(
            f"{data}: no annotated cell lies free with one nucleus; set data.generated.composed = 0"
        )
    return found
