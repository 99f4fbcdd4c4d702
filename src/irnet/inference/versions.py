"""The versions that a result depends on."""

import platform
import sys

import irnet


def versions() -> dict[str, str]:
    """Return what a result depends on besides data and settings; torch and OpenVINO where they took part."""
    parts = {name: sys.modules.get(name) for name in ("torch", "openvino")}
    used = {name: str(module.__version__) for name, module in parts.items() if module is not None}
    return {"irnet": irnet.__version__, **used, "python": platform.python_version()}
