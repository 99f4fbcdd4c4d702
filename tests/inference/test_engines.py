"""Which engine computes, and where its graphs are kept."""

import logging
import subprocess
import sys
from pathlib import Path

import PIL.Image
import pytest
import torch

import irnet
from irnet.config import Settings, load_recipe
from irnet.data.file_names import PREDICTIONS, RUN
from irnet.errors import InputError
from irnet.inference import engines
from irnet.inference.engines import choose_engine, open_engine
from irnet.inference.fast import runtime
from irnet.inference.fast.cache import find_graphs
from irnet.inference.predict import Predictor
from irnet.inference.tensors import digest_of
from irnet.inference.weights import save_weights
from irnet.models.build import build_model
from irnet.models.irnet import IRNet

installed = pytest.mark.skipif(not runtime.is_installed(), reason="OpenVINO is not installed")


def save(path: Path, settings: Settings, seed: int = 0) -> Path:
    torch.manual_seed(seed)
    save_weights(path, build_model(settings.model), settings=settings, trained={})
    return path


@pytest.fixture
def weights(tiny: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The weights of a small network, and a folder for caches of its own."""
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / "cache"))
    return save(tmp_path / "tiny.safetensors", tiny)


def test_without_openvino(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "is_installed", lambda: False)
    assert choose_engine(weights) == ("torch", "OpenVINO is not installed")
    assert choose_engine(weights, engine="torch") == ("torch", "asked for")
    assert open_engine(weights, device="cpu", engine="auto")[0].name == "torch"
    with pytest.raises(InputError, match=r"OpenVINO is not installed: pip install \"\.\[fast\]\""):
        choose_engine(weights, engine="openvino")


@installed
def test_the_choice_and_why(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "_has_gpu", lambda: False)
    assert choose_engine(weights) == ("openvino", "installed, and a CPU computes")
    assert choose_engine(weights, engine="openvino") == ("openvino", "asked for")
    assert choose_engine(weights, device="cuda") == ("torch", "a GPU computes (cuda)")
    monkeypatch.setattr(engines, "_has_gpu", lambda: True)
    assert choose_engine(weights).name == "torch"
    assert choose_engine(weights, device="cpu").name == "openvino"


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"engine": "tvm"}, "unknown engine 'tvm': choose from auto, torch, openvino"),
        ({"precision": "fp8"}, "unknown precision 'fp8'"),
        ({"engine": "torch", "precision": "bf16"}, "--precision bf16 is of the engine openvino"),
    ],
)
def test_what_does_not_go_together(weights: Path, asked: dict, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        choose_engine(weights, **asked)


@pytest.mark.parametrize("asked", [{}, {"engine": "torch"}, {"engine": "openvino"}])
def test_what_is_compiled_is_not_bf16(weights: Path, asked: dict) -> None:
    with pytest.raises(InputError, match="--compile is of the engine torch, --precision bf16 of openvino"):
        open_engine(weights, precision="bf16", compiled=True, **asked)


@pytest.fixture(scope="module")
def graphs() -> dict[str, runtime.Graph]:
    """The graphs of a small network."""
    from irnet.inference.fast.export import make_graphs

    torch.manual_seed(0)
    return make_graphs(build_model(load_recipe("tiny").model).eval())


@pytest.fixture
def made(graphs: dict[str, runtime.Graph], monkeypatch: pytest.MonkeyPatch) -> list[IRNet]:
    """The networks that graphs were made of so far; each time they are the same, which takes no time."""
    networks = []

    def make(model: IRNet, _: str) -> dict[str, runtime.Graph]:
        networks.append(model)
        return graphs

    monkeypatch.setattr("irnet.inference.fast.export.make_graphs", make)
    return networks


@installed
def test_graphs_are_made_once_for_weights(weights: Path, tiny: Settings, made: list[IRNet]) -> None:
    engine, _ = open_engine(weights, device="cpu", engine="openvino")
    assert engine.name.startswith("openvino 2")
    path, graphs, _ = find_graphs(weights, digest_of(weights)) or pytest.fail("nothing was kept")
    assert path == weights.with_suffix(".openvino")
    open_engine(weights, device="cpu", engine="openvino")
    assert len(made) == 1

    # Damaged: made again
    blob = bytearray(path.read_bytes())
    blob[-100] ^= 1
    path.write_bytes(blob)
    assert find_graphs(weights, digest_of(weights)) is None
    open_engine(weights, device="cpu", engine="openvino")
    _, again, _ = find_graphs(weights, digest_of(weights)) or pytest.fail("nothing was kept")
    assert all((graph.weights == graphs[name].weights).all() for name, graph in again.items())
    assert len(made) == 2

    # Other weights of that name: made again
    save(weights, tiny, seed=1)
    assert find_graphs(weights, digest_of(weights)) is None
    open_engine(weights, device="cpu", engine="openvino")
    assert find_graphs(weights, digest_of(weights)) is not None
    assert len(made) == 3


@installed
def test_graphs_of_another_openvino(weights: Path, made: list[IRNet], monkeypatch) -> None:
    open_engine(weights, device="cpu", engine="openvino")
    monkeypatch.setattr("irnet.inference.fast.cache.installed_version", lambda: "1.0")
    assert find_graphs(weights, digest_of(weights)) is None


@installed
@pytest.mark.usefixtures("made")
def test_a_folder_that_may_not_be_written_to(weights: Path, caplog) -> None:
    beside = weights.with_suffix(".openvino")
    beside.mkdir()  # no file can take its place
    open_engine(weights, device="cpu", engine="openvino")
    path, *_ = find_graphs(weights, digest_of(weights)) or pytest.fail("nothing was kept")
    assert path.parent == weights.parent / "cache" / "irnet"

    path.unlink()
    path.mkdir()
    with caplog.at_level(logging.WARNING):
        assert open_engine(weights, device="cpu", engine="openvino")[0].name.startswith("openvino")
    assert "the graphs of tiny.safetensors are made anew each time" in caplog.text


@installed
@pytest.mark.usefixtures("made")
def test_a_user_without_a_home(weights: Path, monkeypatch: pytest.MonkeyPatch, caplog) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name)
    monkeypatch.setattr(Path, "home", homeless)
    assert "at first use" in engines.describe_engine(str(weights))
    open_engine(weights, device="cpu", engine="openvino")
    kept = find_graphs(weights, digest_of(weights)) or pytest.fail("nothing was kept")
    assert kept.path.parent == weights.parent

    kept.path.unlink()
    kept.path.mkdir()  # nor can it be kept beside the weights
    with caplog.at_level(logging.WARNING):
        assert open_engine(weights, device="cpu", engine="openvino")[0].name.startswith("openvino")
    assert "made anew each time" in caplog.text


@installed
def test_a_network_without_graphs(weights: Path, caplog, monkeypatch: pytest.MonkeyPatch) -> None:
    def give_up(*_: object) -> None:
        raise InputError("OpenVINO takes no graph of it")

    monkeypatch.setattr("irnet.inference.fast.export.make_graphs", give_up)
    with caplog.at_level(logging.WARNING):
        assert open_engine(weights, device="cpu", engine="auto")[0].name == "torch"
    assert "takes no graph of it; PyTorch computes instead" in caplog.text
    with pytest.raises(InputError, match="takes no graph"):
        open_engine(weights, device="cpu", engine="openvino")


@installed
def test_predict_and_load_need_no_torch(weights: Path, tmp_path: Path) -> None:
    image = irnet.generate(3, size=(120, 150), mpp=0.37, count=3)[0]
    PIL.Image.fromarray(image).save(tmp_path / "a.png")
    expected = Predictor.load(weights, device="cpu", engine="openvino").predict(image, mpp=0.37, score=0.05)

    script = (
        "import sys, irnet, numpy, PIL.Image\n"
        "sys.modules['torch'] = sys.modules['torchvision'] = sys.modules['openvino_telemetry'] = None\n"
        "from irnet.cli import main\n"
        f"predictor = irnet.load({str(weights)!r}, device='cpu')\n"
        f"image = numpy.asarray(PIL.Image.open({str(tmp_path / 'a.png')!r}))\n"
        "print(len(predictor.predict(image, mpp=0.37, score=0.05)))\n"
        f"main(['predict', {str(tmp_path / 'a.png')!r}, '--model', {str(weights)!r}, '--mpp', '0.37',\n"
        f"      '--device', 'cpu', '-o', {str(tmp_path / 'out')!r}])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0] == str(len(expected))
    assert (tmp_path / "out" / PREDICTIONS).is_file()
    assert '"engine": "openvino' in (tmp_path / "out" / RUN).read_text()


@installed
def test_no_telemetry() -> None:
    script = (
        "import sys\nfrom irnet.inference.fast import runtime\nruntime.load()\n"
        "print([name for name in sys.modules if 'openvino_telemetry' in name])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@installed
@pytest.mark.usefixtures("made")
def test_bf16_where_the_cpu_has_it(weights: Path) -> None:
    if "BF16" in runtime.load().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        assert open_engine(weights, device="cpu", engine="auto", precision="bf16")[0].precision == "bf16"
    else:
        with pytest.raises(InputError, match="this CPU has no instructions for it"):
            open_engine(weights, device="cpu", engine="auto", precision="bf16")
