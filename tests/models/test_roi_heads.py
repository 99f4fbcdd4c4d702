"""The second stage: sampling, ranking by s p, masks of the boxes that stay."""

import pytest
import torch

from irnet.models.box_branch import SampledBoxes
from irnet.models.boxes import Proposed
from irnet.models.mask_branch import enlarge, image_of
from irnet.models.ranking import may_compete
from irnet.models.truths import Truths, truth_iou

SIZES = [(128, 128), (128, 128)]


@pytest.fixture
def features():
    torch.manual_seed(0)
    return {
        name: torch.randn(2, 64, 128 // s, 128 // s) for name, s in zip("0123", (4, 8, 16, 32), strict=True)
    }


@pytest.fixture
def proposals(target):
    """Eight jittered copies of each truth box, and some background."""
    torch.manual_seed(0)
    boxes = [target(5)["boxes"], target(3, seed=1)["boxes"]]
    jittered = [(box.repeat(8, 1) + 2 * torch.randn(8 * len(box), 4)).clamp(0, 128) for box in boxes]
    ground = torch.tensor([[0.0, 0.0, 12.0, 12.0]]).repeat(30, 1)
    return Proposed.of([torch.cat([box, ground]) for box in jittered])


@pytest.fixture
def truths(target):
    return Truths.collate([target(5), target(3, seed=1)], torch.ones(2, 2))


def test_padding_is_told_from_boxes():
    boxes, valid = proposed = Proposed.of([torch.ones(3, 4), torch.ones(0, 4)])
    assert boxes.shape == (2, 3, 4)
    assert valid.tolist() == [[True] * 3, [False] * 3]
    assert [len(each) for each in proposed.each()] == [3, 0]


def test_sampled_boxes(tiny, proposals, truths):
    branch = tiny().roi_heads.box
    chosen = branch.choose(*proposals, truths)
    assert chosen.boxes.shape == (2, 64, 4)
    assert chosen.positive.sum(dim=1).max() <= 16
    background = chosen.chosen & (chosen.labels == 0)
    assert background.any()
    own = truths.labels.gather(1, chosen.match)
    assert torch.equal(chosen.labels[chosen.positive], own[chosen.positive])
    added = chosen.chosen & ~chosen.proposed
    matched = truths.boxes.gather(1, chosen.match[..., None].expand(-1, -1, 4))
    assert torch.equal(chosen.boxes[added], matched[added])  # a truth box is its own truth's


def test_truth_boxes_are_no_candidates_unless_asked(tiny, features, proposals, truths, monkeypatch):
    seen = []
    for value in ("false", "true"):
        branch = tiny("model.drm.training_boxes=sampled", f"model.drm.truth_candidates={value}").roi_heads.box
        monkeypatch.setattr(branch.drm, "forward", lambda f, b, s, v, _: (seen.append(v.sum()), 0 * s)[1])
        torch.manual_seed(5)
        branch.losses(features, proposals, SIZES, truths)
    assert seen[1] > seen[0]


@pytest.mark.parametrize(("value", "reached"), [("false", False), ("true", True)])
def test_the_loss_on_proposals_reaches_the_box_head_if_asked(
    tiny, features, proposals, truths, value, reached
):
    branch = tiny("model.drm.training_boxes=proposals", f"model.drm.end_to_end={value}").roi_heads.box
    losses, _, _ = branch.losses(features, proposals, SIZES, truths)
    losses["drm"].backward()
    assert (branch.head.fc6.weight.grad is not None) == reached


@torch.no_grad()
def test_final_score_is_s_times_p(tiny, features, proposals):
    overrides = ("predict.nms={cytoplasm=1.0, nucleus=1.0}", "predict.floor=0.0", "model.drm.candidates=999")
    branch = tiny(*overrides).roi_heads.box
    branch.drm.logit.weight.zero_(), branch.drm.logit.bias.zero_()  # p = 1/2 for every box
    ranked = branch.detect(features, proposals, SIZES)[0][2]
    branch.drm = None
    plain = branch.detect(features, proposals, SIZES)[0][2]
    torch.testing.assert_close(ranked, plain / 2)


@torch.no_grad()
def test_candidates_limit_each_class(tiny, features, proposals):
    overrides = ("predict.nms={cytoplasm=1.0, nucleus=1.0}", "predict.floor=0.0", "model.drm.candidates=7")
    found = tiny(*overrides).roi_heads.box.detect(features, proposals, SIZES)
    assert [labels.bincount().tolist() for _, labels, _ in found] == [[0, 7, 7], [0, 7, 7]]


def test_of_an_unfinished_image_only_boxes_of_reviewed_cells_are_chosen(tiny, proposals, target):
    whole = {"ignore": torch.tensor([[0.0, 0.0, 128.0, 128.0]])}
    reviewed = {name: target(5)[name][:2] for name in ("boxes", "labels", "masks")}
    truths = Truths.collate([target(5) | whole | reviewed, target(3, seed=1)], torch.ones(2, 2))
    branch = tiny().roi_heads.box

    chosen = branch.choose(*proposals, truths)
    background = chosen.chosen & (chosen.labels == 0)
    assert background.any(dim=1).tolist() == [False, True]
    assert chosen.match[0][chosen.chosen[0]].max() < 2

    ranked = proposals[0][:, :, None].expand(-1, -1, 2, -1)
    competing = may_compete(ranked, proposals[1], truths)
    near = truth_iou(proposals[0], truths).amax(dim=2) >= 0.5
    assert torch.equal(competing[0].all(dim=1), (near & proposals[1])[0])


@torch.no_grad()
@pytest.mark.parametrize("counts", [(0, 0), (0, 1), (1, 0)])
def test_no_or_one_proposal(tiny, features, counts):
    model = tiny("predict.floor=0.0", "predict.nms={cytoplasm=1.0, nucleus=1.0}")
    box = torch.tensor([[10.0, 10.0, 50.0, 60.0]])
    found = model.roi_heads(features, Proposed.of([box[:n] for n in counts]), SIZES)
    assert [len(f.boxes) for f in found] == [2 * n for n in counts]
    assert all(f.masks.shape == (len(f.boxes), 28, 28) for f in found)


def test_candidates_of_an_unannotated_class_give_no_drm_loss(target):
    truth = [target(5) | {"annotated": torch.tensor([value, False])} for value in (True, False)]
    truths = Truths.collate(truth, torch.ones(2, 2))
    boxes = torch.rand(2, 9, 2, 4)
    allowed = may_compete(boxes, torch.ones(2, 9, dtype=torch.bool), truths)
    assert allowed.all(dim=1).tolist() == [[True, False], [False, False]]


def test_ignored_candidates_give_no_drm_loss_unless_they_are_truth(target):
    region = torch.tensor([[0.0, 0.0, 128.0, 128.0]])
    truth = target(1) | {"ignore": region}
    truths = Truths.collate([truth], torch.ones(1, 2))
    boxes = torch.stack([truth["boxes"][0], torch.tensor([100.0, 100.0, 120.0, 120.0])])
    boxes = boxes[None, :, None].expand(1, 2, 2, 4)
    allowed = may_compete(boxes, torch.ones(1, 2, dtype=torch.bool), truths)
    assert allowed[0].all(dim=1).tolist() == [True, False]


def test_box_loss_of_perfect_codes_is_zero(tiny, proposals, truths):
    for form in ("smooth_l1", "giou"):
        branch = tiny(f"loss.box_form={form}").roi_heads.box
        chosen = branch.choose(*proposals, truths)
        target = truths.boxes.gather(1, chosen.match[..., None].expand(-1, -1, 4))
        code = branch.coder.encode(target, chosen.boxes)
        codes = code[:, :, None].expand(-1, -1, 3, -1)
        assert branch.box_loss(codes, chosen, truths) < 1e-5
        assert branch.box_loss(codes + 0.5, chosen, truths) > 1e-2


@torch.no_grad()
def test_masks_keep_the_order_of_the_boxes(tiny, features):
    branch = tiny().roi_heads.mask
    branch.predictor.mask_fcn_logits.weight.normal_()
    boxes = [torch.tensor([[0.0, 0, 50, 50], [60, 60, 90, 90]]), torch.tensor([[20.0, 20, 70, 60]])]
    labels = torch.tensor([1, 2, 1])
    together = branch.masks(features, boxes, labels, SIZES)
    swapped = branch.masks(features, [boxes[0].flip(0), boxes[1]], labels[[1, 0, 2]], SIZES)
    torch.testing.assert_close(together[[1, 0, 2]], swapped, rtol=1e-4, atol=1e-5)


def test_enlarged_boxes():
    boxes = torch.tensor([[10.0, 20.0, 30.0, 60.0]])
    assert enlarge(boxes, 1.5).tolist() == [[5.0, 10.0, 35.0, 70.0]]
    assert torch.equal(enlarge(boxes, 1.0), boxes)


@torch.no_grad()
def test_masks_are_drawn_in_enlarged_boxes(tiny, features, proposals):
    plain, wide = (
        tiny("predict.floor=0.0", "predict.max_per_megapixel=9", f"model.mask_box_scale={scale}").roi_heads
        for scale in (1.0, 1.5)
    )
    found, framed = (heads(features, proposals, SIZES)[0] for heads in (plain, wide))
    assert len(found.boxes) == 9
    assert torch.equal(framed.boxes, enlarge(found.boxes, 1.5))
    labels, sizes = torch.cat([found.labels, found.labels[:0]]), SIZES
    drawn = plain.mask.masks(features, [framed.boxes, framed.boxes[:0]], labels, sizes)
    torch.testing.assert_close(framed.masks, drawn, rtol=1e-4, atol=1e-5)


def test_wide_masks_are_trained_on_what_their_frames_hold(tiny, features, proposals, truths, monkeypatch):
    targets = []
    monkeypatch.setattr(
        "irnet.models.mask_branch.mask_targets",
        lambda boxes, *rest, side: targets.append(boxes) or torch.zeros(len(boxes), side, side),
    )
    for scale in (1.0, 2.0):
        heads = tiny(f"model.mask_box_scale={scale}").roi_heads
        torch.manual_seed(5)
        heads.losses(features, proposals, SIZES, truths)
    assert torch.equal(targets[1], enlarge(targets[0], 2.0))


def test_padding_of_the_positives_changes_nothing(tiny, features, proposals, truths, monkeypatch):
    found = []
    for way in (SampledBoxes.positives, SampledBoxes.filled):
        monkeypatch.setattr(SampledBoxes, "positives", way)
        heads = tiny("model.box_batch=200", "model.box_positive_fraction=0.5").roi_heads
        torch.nn.init.constant_(heads.mask.irm.gamma, 1.0)
        torch.manual_seed(5)
        losses, figures = heads.losses(features, proposals, SIZES, truths)
        torch.stack([*losses.values()]).sum().backward()
        found.append((losses, figures, heads.mask.head[0][0].weight.grad))
    (losses, figures, gradient), (padded, padded_figures, padded_gradient) = found
    assert proposals.valid.sum(dim=1).min() < 100  # so that an image has fewer positives than its quota
    for name, loss in (losses | figures).items():
        torch.testing.assert_close((padded | padded_figures)[name], loss, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(padded_gradient, gradient, rtol=1e-4, atol=1e-6)


def test_across_classes_the_candidates_are_one_set(tiny, features, proposals, monkeypatch):
    sets = {"false": [], "true": []}
    for across, calls in sets.items():
        branch = tiny(f"model.drm.across_classes={across}", "predict.floor=0.0").roi_heads.box
        judge = branch.drm.judge
        monkeypatch.setattr(branch.drm, "judge", lambda *a, f=judge, k=calls, **b: k.append(a) or f(*a, **b))
        with torch.no_grad():
            found = branch.detect(features, proposals, SIZES)
        assert len(found) == 2
    apart, joint = sets["false"], sets["true"]
    assert (len(apart), len(joint)) == (4, 2)  # of each image each class, or both
    for image in range(2):
        both = [
            torch.cat([a, b]) for a, b in zip(*(call[:3:2] for call in apart[2 * image :][:2]), strict=True)
        ]
        assert [torch.equal(*pair) for pair in zip(joint[image][:3:2], both, strict=True)] == [True, True]


@torch.no_grad()
def test_only_what_may_stay_is_judged(tiny, features, proposals):
    """p(correct) of all candidates gives the same scores above the floor."""
    branch = tiny("predict.floor=0.3").roi_heads.box
    torch.nn.init.normal_(branch.predictor.cls_score.weight)
    hidden, logits, codes = branch(features, proposals.boxes, SIZES)
    given = (
        hidden,
        logits.softmax(dim=2)[..., 1:],
        branch.decode(codes, proposals.boxes, SIZES),
        proposals.valid,
    )
    some = branch.drm.score_candidates(*given, SIZES, 0.3)
    every = branch.drm.score_candidates(*given, SIZES, -1.0)
    asked = some.scores > 0.3
    assert 0 < asked.sum() < asked.numel()
    torch.testing.assert_close(some.correct[asked], every.correct[asked])
    assert (some.correct[~asked] == 1).all()


@torch.no_grad()
def test_across_classes_a_cell_hears_of_nuclei(tiny, features, proposals):
    hidden = torch.randn(1, 40, 128)
    boxes, logits = torch.rand(1, 40, 2, 4).cumsum(3) * 50, torch.randn(1, 40, 3)
    changed = boxes.clone()
    changed[:, :, 1] += 40  # nuclei elsewhere
    valid = torch.ones(1, 40, dtype=torch.bool)
    for across, same in (("false", True), ("true", False)):
        branch = tiny(f"model.drm.across_classes={across}", "model.drm.top_k=99").roi_heads.box
        torch.nn.init.normal_(branch.drm.relation.geometry.weight)
        first, second = (branch.rank(hidden, logits, b, valid, SIZES[:1])[1][0, 0] for b in (boxes, changed))
        assert torch.allclose(first, second) == same


def test_images_of_the_boxes():
    assert image_of([torch.ones(2, 4), torch.ones(0, 4), torch.ones(1, 4)]).tolist() == [0, 0, 2]
