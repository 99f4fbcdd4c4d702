"""Settings of training, data and prediction (paper, section 3)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from irnet.config.section import Count, CountOrZero, Fraction, NonNegative, PerClass, Place, Positive, Section


class TrainSettings(Section):
    """Optimisation (section 3, "Implementation details")."""

    optimizer: Literal["sgd", "adamw"] = "adamw"
    lr: Positive = 5e-4
    """Learning rate of the heads after warm-up."""
    trunk_lr: NonNegative = 0.2
    """Learning rate of the backbone, as a factor of `lr`."""
    bias_lr: NonNegative = 1.0
    """Learning rate of biases, as a factor (2 in the paper)."""
    momentum: Fraction = 0.9
    """Momentum of SGD."""
    weight_decay: NonNegative = 1e-2
    """Weight decay; norms, biases and gamma have none."""
    warmup_steps: CountOrZero = 60
    """Steps over which the learning rate rises linearly."""
    warmup_factor: Fraction = 0.1
    """Share of the learning rate at the first step."""
    schedule: Literal["cosine", "step"] = "cosine"
    """Cosine to zero, or times `decay` at each of `milestones`."""
    milestones: tuple[Fraction, ...] = (0.6, 0.9)
    """Where the step schedule drops, as shares of `steps`."""
    decay: Fraction = 0.1
    """Factor of each drop."""
    steps: Count = 3000
    """Optimiser steps; `--time` replaces it by what fits."""
    batch: Count = 2
    """Images of one forward pass, on each device."""
    accumulate: Count = 1
    """Forward passes of one optimiser step."""
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.995
    """Decay of the running mean of the weights that is validated and kept; 0 switches it off."""
    clip: NonNegative = 5.0
    """Largest norm of the gradient; 0 does not clip."""
    precision: Literal["fp32", "bf16"] = "fp32"
    channels_last: bool = False
    """Keep kernels and features in NHWC order: for GPUs; a CPU does so where it helps, in any case."""
    seed: CountOrZero = 0
    """Everything random is a function of the seed and the step."""
    log_every: Count = 10
    """Steps between two lines of the log."""
    checkpoint_every: Count = 250
    """Steps between two checkpoints."""
    validate_every: Count = 500
    """Steps between two validations."""
    validate_images: Count = 20
    """Most images of one validation."""
    workers: CountOrZero = 2
    """Processes that prepare images; 0 prepares them in the training process."""
    tensorboard: bool = False
    """Write the log for TensorBoard too (needs the extra tensorboard)."""


class AugmentSettings(Section):
    """Random changes of the training images (`training.warp`); 0 and false switch one off."""

    removed: ClassVar = {"jpeg_quality": [50, 95]}

    mirror: bool = True
    """Mirror half of the items, left to right."""
    quarter_turns: bool = True
    """Turn by a random multiple of 90 degrees."""
    tilt: Fraction = 0.5
    """Share of items turned by any angle up to `rotation`, on top; the others stay sharper."""
    rotation: Annotated[float, Field(ge=0, le=180)] = 10.0
    """Largest of these angles, either way (degrees)."""
    scale: tuple[Positive, Positive] = (0.8, 1.25)
    """Magnification, drawn uniform in its logarithm."""
    focus: Fraction = 0.9
    """Share of crops placed on a cell; the others fall anywhere."""
    stain: NonNegative = 0.12
    """Standard deviation of the mixing of the channels' optical densities."""
    brightness: Fraction = 0.08
    """Largest shift, as a share of white."""
    contrast: Fraction = 0.15
    """Largest relative change of contrast."""
    gamma: Fraction = 0.15
    """Largest relative change of gamma."""
    grey: Fraction = 0.1
    """Share of items whose colours are taken away."""
    blur: Fraction = 0.3
    """Share of items that are blurred."""
    blur_sigma: NonNegative = 1.2
    """Largest standard deviation of the blur (px)."""
    noise: Fraction = 0.3
    """Share of items with the noise of a camera."""
    noise_sigma: NonNegative = 5.0
    """Largest standard deviation of the noise (grey levels)."""
    jpeg: Fraction = 0.3
    """Share of items that are compressed again, at a quality of 50 to 95."""

    @classmethod
    def none(cls) -> Self:
        """The image as it is; only the window is drawn."""
        shares = ("tilt", "stain", "brightness", "contrast", "gamma", "grey", "blur", "noise", "jpeg")
        return cls(mirror=False, quarter_turns=False, scale=(1.0, 1.0), **dict.fromkeys(shares, 0.0))

    @model_validator(mode="after")
    def _check_range(self) -> AugmentSettings:
        low, high = self.scale
        if low > high:
            raise ValueError(f"data.augment.scale = [{low:g}, {high:g}]: write the lower end first")
        return self


class GeneratedSettings(Section):
    """Smears drawn while training (`data.source = "generated"`)."""

    images: Count = 100_000
    """Different fields, each with a stain and a camera of its own; after the last one they come again."""
    reuse: Count = 4
    """Crops taken from a field, steps apart, each time it is drawn; more of them spare the processors."""
    size: Count = 1000
    """Side of a field (pixels at `mpp`)."""
    mpp: Annotated[float, Field(ge=0.05, le=2)] = 0.2529
    """um per pixel of the fields (section 3)."""
    layouts: tuple[Literal["cps", "dense", "heaped", "crowded", "sparse"], ...] = ("cps", "dense")
    """Kinds of fields, drawn with equal probability."""
    palettes: tuple[Literal["pap", "pale", "vivid", "strong", "grey"], ...] = ("pap", "grey")
    """Stains, drawn with equal probability."""
    abnormal: Fraction = 0.3
    """Share of atrophic, inflamed or dysplastic smears, with many small cells and large nuclei."""
    composed: Fraction = 0.0
    """Share of fields composed of the cut-outs in `cutouts`."""
    cutouts: Place = ""
    """Data set of isolated annotated cells to compose fields from; "" for none."""

    @model_validator(mode="after")
    def _check_cutouts(self) -> GeneratedSettings:
        if self.composed > 0 and not self.cutouts:
            raise ValueError(
                f"data.generated.composed = {self.composed:g} needs data.generated.cutouts: "
                "name a data set of isolated cells, or set it to 0"
            )
        return self


class DataSettings(Section):
    """What the network is shown."""

    source: Literal["files", "generated"] = "files"
    """The data set named on the command line, or smears drawn while training."""
    mpp: Annotated[float, Field(ge=0, le=2)] = 0.37
    """Scale of the network (um per px); images of known scale are resampled to it. 0 keeps every image."""
    crop: Annotated[int, Field(ge=64)] = 512
    """Side of the training crops (px)."""
    min_visible: Fraction = 0.05
    """Cells of which a crop shows a smaller share of the area are left out."""
    mask_size: Count = 112
    """Side of the mask of each cell, resampled into its own box (samples)."""
    split: tuple[Fraction, Fraction, Fraction] = (0.7, 0.1, 0.2)
    """Shares of the patients for training, validation and test (section 3); 0 leaves a part out."""
    split_seed: CountOrZero = 0
    """Seed of that split, and of the order in which `fields` takes patients."""
    fields: CountOrZero = 0
    """Training images, taken patient by patient, so that fewer are a part of more; 0 takes all."""
    augment: AugmentSettings = AugmentSettings()
    generated: GeneratedSettings = GeneratedSettings()

    @model_validator(mode="after")
    def _check_split(self) -> DataSettings:
        if abs(sum(self.split) - 1) > 1e-6:
            raise ValueError(f"data.split = {list(self.split)} sums to {sum(self.split):g}; make it sum to 1")
        if self.split[0] == 0:
            raise ValueError(
                f"data.split = {list(self.split)} leaves nothing to train on: raise the first share"
            )
        return self


class UnlabelledSettings(Section):
    """Fields without outlines (`irnet train --unlabelled`), labelled by the running mean of the weights."""

    share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Share of the images of a forward pass that are crops of such fields; at least one, and not all."""
    mpp: Annotated[float, Field(ge=0, le=2)] = 0.0
    """um per pixel of fields that do not state theirs; 0 takes these as they are."""
    views: Literal[1, 2, 4] = 4
    """The teacher sees a crop so many times, mirrored and transposed; its answer is the mean."""
    sure: PerClass = PerClass(cytoplasm=0.7, nucleus=0.7)
    """Finds with this score are learned as instances."""
    unsure: PerClass = PerClass(cytoplasm=0.05, nucleus=0.1)
    """Finds with this score, and not learned, are neither instances nor ground; below it all is ground."""
    strength: NonNegative = 1.5
    """The student's crops are recoloured so much more than `data.augment` says (factor)."""
    focus: Fraction = 0.5
    """Share of crops placed on a point, where the set has points; the others fall anywhere."""

    @model_validator(mode="after")
    def _check_order(self) -> UnlabelledSettings:
        for name in ("cytoplasm", "nucleus"):
            if getattr(self.unsure, name) > getattr(self.sure, name):
                unsure = f"unlabelled.unsure.{name} = {getattr(self.unsure, name):g}"
                raise ValueError(f"{unsure} is above unlabelled.sure.{name}: lower it")
        return self


class OperatingPoint(Section):
    """What decides which candidates are cells and where they end; `irnet calibrate` chooses it."""

    score: PerClass = PerClass(cytoplasm=0.5, nucleus=0.5)
    """Operating threshold of the score s p^a; chosen on validation and stored with the weights."""
    drm_power: PerClass = PerClass(cytoplasm=1.0, nucleus=1.0)
    """Power a of the DRM's p(correct) in the score: 1 in the paper (section 2.2), 0 leaves the DRM out."""
    mask_threshold: PerClass = PerClass(cytoplasm=0.5, nucleus=0.5)
    """Least probability of the pixels of a mask."""


class PredictSettings(OperatingPoint):
    """From scored boxes to cells."""

    removed: ClassVar = {"soft_sigma": 0.5}

    views: dict[Literal["4"], OperatingPoint] = Field(default_factory=dict)
    """The same for 4 views (`irnet calibrate --views 4`); where it is missing, that of one view holds."""
    floor: Fraction = 0.05
    """Boxes below it never leave the network; AP and curves start here."""
    nms: PerClass = PerClass(cytoplasm=0.55, nucleus=0.5)
    """Boxes of one class that overlap a better one by more than this IoU are dropped (section 2.2)."""
    suppression: Literal["box", "mask", "soft"] = "box"
    """What `nms` compares: boxes, before masks are drawn, or masks; soft: scores fall instead (Gaussian)."""
    max_per_megapixel: Count = 400
    """Most cells and nuclei an image of up to one megapixel (px); grows with the area beyond."""
    bare_ground: NonNegative = 0.04
    """Cells without a sure nucleus whose inside is darker than bare ground by less (optical density), and
    which have no outline, are left out; 0 leaves none out."""
    nucleus_px: NonNegative = 22.4
    """Median diameter of nuclei at the network's scale (px); gives the scale of images of unknown um per
    pixel, 0 keeps them as they are. Validation measures it and it is stored with the weights."""

    def at(self, views: int) -> PredictSettings:
        """The settings with the operating point of so many views."""
        point = {int(number): point for number, point in self.views.items()}.get(views, self)
        return self.model_copy(update={name: getattr(point, name) for name in OperatingPoint.model_fields})

    @model_validator(mode="after")
    def _check_floor(self) -> PredictSettings:
        points = {"predict": self.score}
        points |= {f"predict.views.{views}": point.score for views, point in self.views.items()}
        for place, score in points.items():
            for name, cut in score:
                if cut < self.floor:
                    raise ValueError(
                        f"{place}.score.{name} = {cut:g} is below predict.floor = {self.floor:g}, where "
                        "boxes end: lower the floor"
                    )
        return self
