"""Views: each undoes itself, one view is the plain network, and what is mirrored is found mirrored."""

import pytest
import torch

from irnet.models.boxes import Proposed
from irnet.models.views import VIEWS, View, find_in_views

MIRRORS = (View(), View((-1,)), View((-2,)), View((-1, -2)))  # closed under mirroring, as VIEWS are not
SOME_BOXES = ("predict.floor=0.0", "predict.max_per_megapixel=20")  # of an untrained network


@pytest.mark.parametrize("view", [*VIEWS, *MIRRORS])
def test_a_view_undoes_itself_and_boxes_follow_the_picture(view):
    picture = torch.zeros(3, 20, 30)
    picture[:, 4:9, 2:17] = 1
    turned = view.turn(picture)
    x1, y1, x2, y2 = view.turn_boxes(torch.tensor([[2.0, 4, 17, 9]]), (20, 30))[0].int().tolist()
    assert turned[:, y1:y2, x1:x2].all()
    assert turned.sum() == picture.sum() == 3 * (y2 - y1) * (x2 - x1)
    assert torch.equal(view.turn(turned), picture)
    back = view.turn_boxes(torch.tensor([[x1, y1, x2, y2]]), tuple(turned.shape[1:]))
    assert back.tolist() == [[2, 4, 17, 9]]


@torch.no_grad()
@pytest.mark.parametrize("override", ["model.drm.across_classes=false", "model.drm.enabled=false"])
def test_one_view_is_the_network_bit_by_bit(tiny, images, override):
    model = tiny(*SOME_BOXES, override).eval()
    for image in images:
        plain, (seen,) = model([image])[0], find_in_views(model, image, views=VIEWS[:1])
        assert len(plain.boxes) == 20
        assert torch.equal(plain.labels, seen.labels)
        for field, same in zip(plain, seen, strict=True):
            assert torch.allclose(field, same, atol=1e-6)
        assert torch.equal(plain.scores, seen.scores)


@torch.no_grad()
def test_views_differ_from_one_and_are_means(tiny, images):
    model = tiny(*SOME_BOXES).eval()
    single, (seen,) = model([images[0]])[0], find_in_views(model, images[0])
    assert len(seen.boxes) == 20
    assert not torch.equal(single.scores, seen.scores)
    assert ((seen.masks >= 0) & (seen.masks <= 1)).all()


@torch.no_grad()
@pytest.mark.parametrize("size", [(128, 128), (90, 120)])
def test_a_mirrored_image_has_the_mirrored_answer(tiny, images, size, monkeypatch):
    """From mirrored proposals, in views that are closed under mirroring."""
    model = tiny(*SOME_BOXES, "predict.max_per_megapixel=200").eval()
    image, mirror = images[0][:, : size[0], : size[1]], View((-1,))
    corners = torch.rand(60, 2, generator=torch.Generator().manual_seed(2)) * 60
    proposals = torch.cat([corners, corners + 28], dim=1)

    def find(picture: torch.Tensor, boxes: torch.Tensor):
        monkeypatch.setattr(model.rpn, "forward", lambda *_: (Proposed.of([boxes]), {}))
        return find_in_views(model, picture, views=MIRRORS)[0]

    straight = find(image, proposals)
    mirrored = find(mirror.turn(image), mirror.turn_boxes(proposals, size))
    assert len(straight.boxes) == len(mirrored.boxes) > 20
    back = mirror.turn_boxes(mirrored.boxes, size)
    distance = (straight.boxes[:, None] - back).abs().amax(dim=2)
    distance[straight.labels[:, None] != mirrored.labels] = 1000
    partner = distance.argmin(dim=1)
    assert distance.amin(dim=1).max() < 0.01
    # Not nearer: scores of an untrained network lie so close that rounding swaps ranks, which the DRM sees
    assert torch.allclose(straight.scores, mirrored.scores[partner], atol=2e-4)
    assert torch.allclose(straight.masks, mirrored.masks[partner].flip(-1), atol=1e-4)


@torch.no_grad()
def test_powers_share_one_look(tiny, images):
    """For each power what a network with that power finds, from one pass."""
    powers = [(1.0, 1.0), (0.5, 0.0)]
    shared = find_in_views(tiny(*SOME_BOXES).eval(), images[0], powers, views=VIEWS[:1])
    for (cell, nucleus), found in zip(powers, shared, strict=True):
        power = f"predict.drm_power={{cytoplasm={cell}, nucleus={nucleus}}}"
        alone = tiny(*SOME_BOXES, power).eval()([images[0]])[0]
        for field, same in zip(alone, found, strict=True):
            assert torch.allclose(field, same, atol=1e-5)


@torch.no_grad()
def test_nothing_is_found_in_views_either(tiny, images):
    (none,) = find_in_views(
        tiny("predict.floor=1.0", "predict.score={cytoplasm=1.0,nucleus=1.0}").eval(), images[0]
    )
    assert [len(field) for field in none] == [0, 0, 0, 0]
