"""The paper's recipe with random weights: side_by_side asks it in the place of a trained network."""

import sys
from pathlib import Path

from irnet.config import load_recipe
from irnet.inference.networks import build_network
from irnet.inference.weights import save_weights

path, most = Path(sys.argv[1]), int(sys.argv[2])
settings = load_recipe(
    "paper",
    [
        "model.min_size=0",  # fields come at their own size, as to all others
        "data.mpp=0.37",
        "predict.floor=0",
        f"predict.max_per_megapixel={most}",
    ],
)
save_weights(path, build_network(settings, pretrained=False), settings=settings, trained={})
