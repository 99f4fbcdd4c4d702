"""The mean of the weights of two networks, which may keep what each has learned."""

from __future__ import annotations

from pathlib import Path

from irnet.data.files import write_text
from irnet.errors import InputError
from irnet.inference.tensors import digest_of
from irnet.inference.weights import differing, find_weights, generated_alone, load_weights, save_weights
from irnet.training.card import WeightsFile, render_card
from irnet.verbs.calibrate import new_files

OF_THE_FIRST = ("validation", "scores", "calibrated", "calibrated_4_views")  # no longer true of the mean


def average(first: str | Path, second: str | Path, out: str | Path, *, share: float = 0.5) -> None:
    """Write the weights (1 - share) `first` + share `second`, tensor by tensor, with a card beside them.

    Weights have a useful mean where one was trained on from the other, or both from a third (Wortsman et
    al., CVPR 2022, "Robust fine-tuning of zero-shot models"). The settings are those of `first`, its
    operating point too: `calibrate` it anew.

    Args:
        first: a weights file, a run's folder, "bundled" or "bundled-research".
        second: the same.
        out: the new weights file.
        share: of `second`, above 0 and below 1.

    Raises:
        InputError: `out` or a card of its name exists, bad weights, both the same, networks that differ, or
            a share that is not between 0 and 1.
    """
    if not 0 < share < 1:
        raise InputError(f"--share {share:g}: what part the second has, above 0 and below 1")
    target, card = new_files(out)
    paths = [find_weights(source) for source in (first, second)]
    digests = [digest_of(path) for path in paths]
    if digests[0] == digests[1]:
        raise InputError(f"{first} and {second} hold the same weights: name two that differ")

    model, settings, trained = load_weights(paths[0])
    other, theirs, their_training = load_weights(paths[1])
    if difference := differing(theirs, settings):
        raise InputError(f"{second}: holds another network than {first}: it has {difference}")
    if theirs.data.mpp != settings.data.mpp:
        raise InputError(
            f"{second}: learned at {theirs.data.mpp:g} um per pixel, {first} at {settings.data.mpp:g}: "
            "average networks of one scale"
        )

    mean, others = model.state_dict(), other.state_dict()
    for name, tensor in mean.items():
        if tensor.is_floating_point():
            mean[name] = tensor.lerp(others[name], share)
    model.load_state_dict(mean)

    record = {
        "source": paths[1].name,
        "sha256": digests[1],
        "share": share,
        "generated_alone": generated_alone(theirs, their_training),
    }
    kept = {name: value for name, value in trained.items() if name not in OF_THE_FIRST}
    save_weights(target, model, settings=settings, trained=kept | {"averaged": record})
    write_text(card, render_card(WeightsFile.read(target)))
