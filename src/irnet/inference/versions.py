"""The versions that a result depends on."""

import platform
import sys

import irnet


def versions() -> dict[str, str]:
    """Return what a result depends on besides data and settings; torch where it took part."""
    torch = sys.modules.get("torch")
    used = {} if torch is None else {"torch": str(torch.__version__)}
    return {"irnet": irnet.__version__, **used, "python": platform.python_version()}
