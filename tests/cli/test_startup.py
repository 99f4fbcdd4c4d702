"""What a command imports: no more than its work needs, for every start pays for it in seconds."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from irnet.data.file_names import PREDICTIONS

NETWORK = ("torch", "torchvision")
UNUSED = (
    "torch._dynamo",
    "torch._inductor",
    "sympy",
    "scipy.interpolate",
    "scipy.optimize",
    "irnet.data.formats",
    "irnet.verbs.slide_predict",
)  # by predict


def imported(arguments: list[str], names: tuple[str, ...]) -> tuple[int, list[str]]:
    """Exit code of a command, and which of the modules named it has imported at its end."""
    script = (
        "import sys\n"
        "from irnet.cli import main\n"
        "code = 0\n"
        f"try: main({arguments!r})\n"
        "except SystemExit as end: code = end.code or 0\n"
        f"print(code, *(name for name in {names!r} if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    code, *found = done.stdout.splitlines()[-1].split()
    return int(code), found


def test_predict_without_the_compiler_of_torch(tmp_path: Path) -> None:
    PIL.Image.fromarray(np.full((64, 64, 3), 240, np.uint8)).save(tmp_path / "a.png")
    image, out = str(tmp_path / "a.png"), str(tmp_path / "out")
    arguments = ["predict", image, "--mpp", "0.37", "--engine", "torch", "-o", out]
    assert imported(arguments, UNUSED) == (0, [])
    assert (tmp_path / "out" / PREDICTIONS).is_file()


@pytest.mark.parametrize(
    ("code", "command"),
    [
        (0, "evaluate SET/annotations.json SET -o OUT"),
        (0, "measure SET"),
        (0, "export SET --to qupath -o OUT"),
        (0, "data check SET"),
        (2, "predict SET/none.png -o OUT"),
        (2, "predict SET --model SET/none.safetensors -o OUT"),
    ],
)
def test_without_torch(code: int, command: str, smears: Path, tmp_path: Path) -> None:
    shutil.copytree(smears, tmp_path / "set")
    command = command.replace("SET", str(tmp_path / "set")).replace("OUT", str(tmp_path / "out"))
    assert imported(command.split(), NETWORK) == (code, [])
