"""The boxes that give a loss."""

import torch

from irnet.models.sampling import Sampling


def test_sample_prefers_no_positive_beyond_its_share():
    positive = torch.zeros(2, 100, dtype=torch.bool)
    positive[0, :60], positive[1, :3] = True, True
    index, chosen = Sampling(batch=20, positive_fraction=0.25).draw(positive, ~positive)
    assert chosen.all()
    assert positive.gather(1, index).sum(dim=1).tolist() == [5, 3]
    assert all(len(set(row.tolist())) == 20 for row in index)


def test_sample_of_too_few_is_padded():
    positive = torch.tensor([[True, False, False, False]])
    negative = torch.tensor([[False, True, False, False]])
    index, chosen = Sampling(batch=10, positive_fraction=0.5).draw(positive, negative)
    assert index[chosen].sort().values.tolist() == [0, 1]


def test_sample_without_quota_takes_negatives():
    positive = torch.tensor([[True, False, False]])
    index, chosen = Sampling(batch=3, positive_fraction=0.0).draw(positive, ~positive)
    assert index[chosen].sort().values.tolist() == [1, 2]


def test_sample_is_uniform():
    torch.manual_seed(0)
    positive = torch.zeros(4000, 10, dtype=torch.bool)
    index, _ = Sampling(batch=2, positive_fraction=0.5).draw(positive, ~positive)
    counts = index.flatten().bincount(minlength=10)
    assert (counts - 800).abs().max() < 110  # 4 standard deviations
