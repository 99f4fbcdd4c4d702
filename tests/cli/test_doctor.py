"""The doctor names what is there, what is missing and what to do."""

import hashlib

import pytest

from irnet.inference import weights
from irnet.verbs import doctor


def test_it_prints_versions_devices_and_memory(run) -> None:
    ran = run("doctor")
    assert ran.code == 0
    for name in ("irnet", "Python", "torch", "torchvision", "CPU", "memory", "weights", "tensorboard"):
        assert f"  {name} " in ran.out


def test_missing_weights_and_extras_have_a_remedy(run, monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setattr(weights, "BUNDLED", tmp_path / "none.safetensors")
    monkeypatch.setattr(doctor, "find_spec", lambda module: None)
    ran = run("doctor")
    assert ran.code == 0
    assert "no bundled weights" in ran.out
    assert 'pip install ".[tensorboard]"' in ran.out


def test_damaged_weights_are_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path, network) -> None:
    blob = bytearray((network / "best.safetensors").read_bytes())
    path = tmp_path / "irnet.safetensors"
    monkeypatch.setattr(weights, "BUNDLED", path)
    path.write_bytes(blob)
    assert named("weights").ok
    assert named("weights").value.endswith(hashlib.sha256(blob).hexdigest())
    blob[-1] ^= 1
    path.write_bytes(blob)
    assert not named("weights").ok
    assert "damaged" in named("weights").value


def test_each_thing_has_one_line() -> None:
    names = [check.name for check in doctor.examine()]
    assert {"weights", "research", "export", "view"} <= set(names)
    assert len(names) == len(set(names))


def test_a_broken_torch_is_the_one_thing_that_fails_it(run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str):
        raise ImportError("libtorch.so: cannot open shared object file")

    monkeypatch.setattr(doctor.importlib, "import_module", broken)
    ran = run("doctor")
    assert ran.code == 1
    assert "libtorch.so" in ran.out
    assert "pytorch.org/get-started/locally" in ran.out


def test_memory_is_the_smaller_of_machine_and_container(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(doctor, "CGROUP_LIMITS", (str(limit),))
    machine = doctor.memory_size()
    limit.write_text("max\n")
    assert doctor.memory_size() == machine
    limit.write_text("1073741824\n")
    assert doctor.memory_size() == 2**30
    assert not named("memory").ok


def named(name: str) -> doctor.Check:
    return next(check for check in doctor.examine() if check.name == name)
