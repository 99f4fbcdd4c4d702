"""Parts of torchvision: imported without its compiler; pooling from all levels at once."""

import subprocess
import sys

import torch

from irnet.models.vision import pyramid_pool


def test_at_once_is_level_by_level():
    generator = torch.Generator().manual_seed(0)
    pool = pyramid_pool("0123", (4, 8, 16, 32), side=7, inside=True)
    low = torch.rand(2, 40, 2, generator=generator) * torch.tensor([630.0, 500.0])
    size = 2 ** (1 + 9 * torch.rand(2, 40, 2, generator=generator))
    boxes = torch.cat([low, low + size], dim=2).minimum(torch.tensor([640.0, 512, 640, 512]))
    boxes[:, 0] = torch.tensor([0.0, 0, 640, 512])  # from rim to rim
    found, gradients = [], []
    for way in (pool.forward, lambda x, boxes, _: pool.pool_at_once(x, boxes)):
        features = {
            name: torch.randn(2, 3, 512 // s, 640 // s, generator=generator.manual_seed(s)).requires_grad_()
            for name, s in zip("0123", (4, 8, 16, 32), strict=True)
        }
        pooled = way(features, list(boxes), [(512, 640)] * 2)
        found.append(pooled)
        gradients.append(torch.autograd.grad(pooled.square().sum(), [*features.values()]))
    torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-4)
    for level, again in zip(*gradients, strict=True):
        assert level.abs().sum() > 0
        torch.testing.assert_close(level, again, rtol=1e-3, atol=1e-3)


def test_the_compiler_is_there_when_it_is_called():
    script = (
        "import sys, irnet.models.vision\n"
        "from torchvision.ops import roi_align as function\n"
        "asked = function.__globals__['is_compile_supported']\n"
        "assert 'torch._dynamo' not in sys.modules\n"
        "assert asked('cpu') in (True, False)\n"
        "import torch._dynamo.utils\n"
        "assert asked('cpu') == torch._dynamo.utils.is_compile_supported('cpu')\n"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
