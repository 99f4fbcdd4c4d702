"""Names of images: unique, text, and taken back by anyone who reads them."""

from pathlib import Path

import pytest

from irnet.data.files import safe_join
from irnet.data.naming import name_images


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["/s/x.png"], ["x.png"]),
        (["/s/a/x.png", "/s/b/x.png", "/s/b/y.png"], ["a/x.png", "b/x.png", "y.png"]),
        (["/1/a/x.png", "/2/a/x.png", "/b/x.png"], ["1/a/x.png", "2/a/x.png", "b/x.png"]),
        (["/x.png", "/a/x.png"], ["x.png", "a/x.png"]),
        (["/a/x.png", "/b/X.PNG"], ["a/x.png", "b/X.PNG"]),
        (["/s/A/x.png", "/s/a/x.png"], ["1/A/x.png", "2/a/x.png"]),
        (["/s/t/x.png", "/s/t/X.png"], ["1/x.png", "2/X.png"]),
        (["/s/a\\b.png", "/s/a_b.png"], ["1/a_b.png", "2/a_b.png"]),
        (["/s/x.png", "/s/X.png", "/1/y.png", "/2/y.png"], ["1/x.png", "2/X.png", "1/y.png", "2/y.png"]),
        (["/s/x.png", "/s/X.png", "/1/x.png"], ["1/s/x.png", "2/s/X.png", "1/x.png"]),
        (["/s/a\nb.png", "/s/C:x.png"], ["a_b.png", "C_x.png"]),
    ],
)
def test_names_are_unique_and_come_back(files: list[str], names: list[str], tmp_path: Path) -> None:
    assert name_images([Path(file) for file in files]) == names
    assert len({str(safe_join(tmp_path, name)).lower() for name in names}) == len(names)
