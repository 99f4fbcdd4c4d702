"""The doctor names what is there, what is missing and what to do."""

import hashlib
import re
from importlib.metadata import PackageNotFoundError, packages_distributions, requires, version

import pytest

from irnet.data import memory
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
    assert ran.code == 2
    assert "libtorch.so" in ran.out
    assert "pytorch.org/get-started/locally" in ran.out


def test_memory_is_the_smaller_of_machine_and_container(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    inner = tmp_path / "groups" / "slurm" / "job"
    inner.mkdir(parents=True)
    (tmp_path / "own").write_text("0::/slurm/job\n")
    monkeypatch.setattr(memory, "_CGROUPS", tmp_path / "groups")
    monkeypatch.setattr(memory, "_OWN_CGROUP", tmp_path / "own")
    machine = memory.allowed()
    (inner / "memory.max").write_text("max\n")
    assert memory.allowed() == machine
    (inner.parent / "memory.max").write_text("1073741824\n")
    assert memory.allowed() == 2**30
    assert not named("memory").ok


def test_an_extra_is_there_if_all_that_it_installs_is() -> None:
    brought = packages_distributions()
    for extra, (_, modules) in doctor.EXTRAS.items():
        asked = {canonical(name) for name in requirements(extra)} - {"openslide-bin"}  # systems bring it, too
        found = {canonical(name) for module in modules for name in brought.get(module, [])}
        assert asked <= found or not all(map(installed, asked)), extra


def requirements(extra: str) -> list[str]:
    """The names of the packages that an extra of irnet asks for."""
    named = re.compile(rf"([\w.-]+).*; extra == ['\"]{extra}['\"]")
    return [match[1] for line in requires("irnet") or () if (match := named.fullmatch(line))]


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def installed(name: str) -> bool:
    try:
        return bool(version(name))
    except PackageNotFoundError:
        return False


def named(name: str) -> doctor.Check:
    return next(check for check in doctor.examine() if check.name == name)
