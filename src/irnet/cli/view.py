"""`irnet view`: look at what was found and correct it, in a browser."""

from pathlib import Path
from typing import Annotated

import typer


def view(
    out: Annotated[
        Path,
        typer.Argument(help="Folder of irnet predict, or a data set or COCO file.", show_default=False),
    ],
    host: Annotated[str, typer.Option(help="Address to serve on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to serve on, 0 for any.", min=0, max=65535)] = 8642,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of the images.", show_default="where irnet predict read them"),
    ] = None,
    browser: Annotated[
        bool | None,
        typer.Option(
            "--browser/--no-browser", help="Open the page.", show_default="where there is a desktop"
        ),
    ] = None,
) -> None:
    """Look at what was found, correct it, and export it as training data: a page for the browser.

    Every edit is on disk at once (corrections.jsonl in OUT); the predictions
    stay as they were. Exporting writes corrected.json. The address printed holds
    a token, without which nobody reads or edits.

    Example:  irnet view found
    """
    from irnet.server.serve import serve

    serve(out, host=host, port=port, data=data, browser=browser, announce=typer.echo)
