"""What estimating the scale of a folder costs and says, beside an older checkout.

    OMP_NUM_THREADS=1 python benchmarks/first_look.py FOLDER --old CHECKOUT

FOLDER holds images of unknown um per pixel. Each side is a process of its own, alternating; the seconds are
those of the CPU, of opening the images and of all looks, without starting.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

LOOK = """
import json, sys, time
from pathlib import Path
import numpy as np
from irnet.inference.first_look import scale_of_files
from irnet.inference.predict import Predictor

predictor = Predictor.load(device="cpu")
kinds = (".png", ".tif", ".jpg")
files = sorted(path for path in Path(sys.argv[1]).iterdir() if path.suffix.lower() in kinds)
predictor.find(np.full((64, 64, 3), 230, np.uint8), 0.37)  # graphs are there from here on

begun = time.process_time()
scale = scale_of_files(predictor, files)
seconds = time.process_time() - begun
said = {"files": len(files), "images": scale.images, "nuclei": scale.nuclei, "zoom": scale.zoom}
print(json.dumps({**said, "seconds": round(seconds, 1)}))
"""


def look(folder: Path, checkout: Path) -> dict[str, float]:
    """Estimate with the code of `checkout`."""
    environment = os.environ | {"PYTHONPATH": str(checkout / "src")}
    ran = subprocess.run(
        [sys.executable, "-c", LOOK, str(folder)], env=environment, stdout=subprocess.PIPE, check=True
    )
    return json.loads(ran.stdout.splitlines()[-1])


def main() -> None:
    """Print a row a round."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--old", type=Path, required=True, help="a checkout of irnet")
    parser.add_argument("--rounds", type=int, default=2)
    asked = parser.parse_args()

    here, ratios = Path(__file__).parents[1], []
    for _ in range(asked.rounds):
        old, new = look(asked.folder, asked.old), look(asked.folder, here)
        ratios.append(new["seconds"] / old["seconds"])
        print(f"old {old}\nnew {new}\nratio {ratios[-1]:.3f}", flush=True)
    print(f"median ratio {statistics.median(ratios):.3f}, load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
