"""The builder: sizes of the networks, and what it refuses."""

import pytest
import torch

from irnet.config import load_recipe
from irnet.errors import InputError
from irnet.models.build import build_model, group_norm


def count(module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.fixture(scope="module")
def paper():
    settings = load_recipe("paper")
    return build_model(settings.model, settings.loss, settings.predict, pretrained=False)


def test_modules_of_the_paper_have_their_size(paper):
    assert count(paper.roi_heads.box.drm) == 544_273
    assert count(paper.roi_heads.mask.irm) == 1_810_516


def test_the_rest_of_the_paper_is_mask_rcnn(paper):
    modules = count(paper.roi_heads.box.drm) + count(paper.roi_heads.mask.irm)
    statistics = sum(b.numel() for n, b in paper.backbone.named_buffers() if n.endswith(("weight", "bias")))
    assert count(paper) + statistics - modules == 43_980_897  # torchvision's, 3 classes, batch norms counted


def test_frozen_stages_of_the_paper(paper):
    frozen = {name.split(".")[2] for name, p in paper.named_parameters() if not p.requires_grad}
    assert frozen == {"conv1", "layer1"}


@pytest.mark.parametrize("recipe", ["default", "finetune", "release"])
def test_bundled_network_fits_its_limit(recipe):
    settings = load_recipe(recipe)
    model = build_model(settings.model, settings.loss, settings.predict, pretrained=False)
    assert 2 * sum(t.numel() for t in model.state_dict().values()) < 50e6
    assert model.prepare.min_size == 0
    assert model.prepare.mean.flatten().tolist() == [127, 127, 127]


def test_weights_of_the_losses():
    with_irm, without = (
        build_model(load_recipe("tiny", [f"model.irm.enabled={value}"]).model) for value in ("true", "false")
    )
    assert (with_irm.loss_weights["mask"], with_irm.loss_weights["irm"]) == (0.5, 0.5)
    assert without.loss_weights["mask"] == 1


def test_weights_of_another_backbone_are_refused(tmp_path):
    path = tmp_path / "other.pth"
    torch.save({"conv1.weight": torch.zeros(1)}, path)
    for backbone, recipe in [("resnet50", "paper"), ("efficientnet_lite2", "default")]:
        settings = load_recipe(recipe, [f"model.trunk_weights={path}"])
        with pytest.raises(InputError, match=f"does not fit a {backbone}: name the ImageNet weights"):
            build_model(settings.model)


def test_missing_weights_are_refused():
    with pytest.raises(InputError, match=r"resnet50\.pth.*cannot be read"):
        build_model(load_recipe("paper").model)


@pytest.mark.parametrize("channels", [16, 32, 128, 256])
def test_one_pixel_at_the_top_of_the_pyramid_is_normalised(channels: int) -> None:
    assert torch.isfinite(group_norm(channels)(torch.ones(1, channels, 1, 1))).all()


def test_networks_of_one_seed_share_their_first_weights():
    states = []
    for modules in ("true", "false"):
        overrides = [f"model.{name}.enabled={modules}" for name in ("drm", "irm")]
        torch.manual_seed(3)
        states.append(build_model(load_recipe("tiny", overrides).model, pretrained=False).state_dict())
        states[-1]["next draw"] = torch.rand(1)
    both, plain = states
    assert both.keys() > plain.keys()
    assert all(torch.equal(both[name], plain[name]) for name in plain)
