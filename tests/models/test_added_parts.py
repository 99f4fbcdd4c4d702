"""A backbone and a mask head are added as the pages say: a file and a line, and the rest works.

The file is the block of code of the page itself.
"""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from irnet.config import Settings, load_recipe
from irnet.config.parts import BACKBONES, MASK_HEADS, BackboneEntry
from irnet.errors import InputError
from irnet.inference.predict import Predictor
from irnet.inference.weights import load_weights, save_weights
from irnet.models.build import build_model
from irnet.models.irnet import IRNet
from irnet.synthetic import generate

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
Add = Callable[[str, dict, str], None]


@pytest.fixture
def add(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Add:
    """Make the file of a page importable, and write the page's line into a registry."""

    def follow(page: str, registry: dict, name: str) -> None:
        text = (HOW_TO / page).read_text(encoding="utf-8")
        (code,) = re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)
        (line,) = re.findall(r"^```text\n(.*?)^```$", text, re.M | re.S)
        (tmp_path / f"added_{name}.py").write_text(code, encoding="utf-8")
        monkeypatch.syspath_prepend(str(tmp_path))

        there = line.replace(f"irnet.models.{name}:", f"added_{name}:")
        entries = eval(f"{{{there}}}", {"BackboneEntry": BackboneEntry})
        monkeypatch.setitem(registry, name, entries[name])

    return follow


def train_a_step(settings: Settings, images: list[Tensor], target: dict[str, Tensor]) -> IRNet:
    """The network after a step that changes every layer it has a gradient for."""
    torch.manual_seed(0)
    model = build_model(settings.model, settings.loss, settings.predict)
    before = {name: parameter.clone() for name, parameter in model.named_parameters()}
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    sum(model(images[:1], [target]).values()).backward()
    optimizer.step()
    unmoved = {name for name, p in model.named_parameters() if torch.equal(p, before[name])}
    assert not {name for name in unmoved if name.startswith(("backbone.body", "roi_heads.mask.head"))}
    return model.eval()


def finds_again(model: IRNet, settings: Settings, path: Path) -> None:
    """Saved and loaded, the network finds what it found before."""
    save_weights(path, model, settings=settings, trained={}, half=False)
    loaded, loaded_settings, _ = load_weights(path)
    assert loaded_settings == settings

    image, _ = generate(1, size=(160, 160), mpp=0.37, count=3)
    found, again = (
        Predictor(network, settings=settings, device=torch.device("cpu")).predict(image, score=0.0)
        for network in (model, loaded)
    )
    assert len(found) > 5
    assert np.array_equal(found.scores, again.scores)
    assert all(np.array_equal(*pair) for pair in zip(found.masks, again.masks, strict=True))


@pytest.mark.parametrize(
    ("page", "registry", "key", "name"),
    [
        ("add-a-backbone.md", BACKBONES, "backbone", "narrow"),
        ("add-a-mask-head.md", MASK_HEADS, "mask_head", "bilinear"),
    ],
)
def test_a_part_that_is_added_is_trained_saved_loaded_and_predicts(
    page: str, registry: dict, key: str, name: str, add: Add, images, target, tmp_path: Path
) -> None:
    overrides = [f"model.{key}={name}", "predict.floor=0.0", "predict.max_per_megapixel=20", "data.mpp=0"]
    with pytest.raises(InputError, match=rf"model\.{key} = '{name}': input should be '"):
        load_recipe("tiny", overrides)

    add(page, registry, name)
    settings = load_recipe("tiny", overrides)
    model = train_a_step(settings, images, target(6))
    finds_again(model, settings, tmp_path / "w.safetensors")


def test_a_backbone_cannot_have_a_norm_that_its_line_does_not_name(add: Add) -> None:
    add("add-a-backbone.md", BACKBONES, "narrow")
    overrides = ["model.backbone=narrow", "model.trunk_norm=frozen_bn", "model.trunk_weights=x.pth"]
    with pytest.raises(
        InputError, match=r"'narrow' has no frozen batch norm: set model\.trunk_norm = 'group'"
    ):
        load_recipe("tiny", overrides)
