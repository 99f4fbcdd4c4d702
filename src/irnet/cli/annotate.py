"""`irnet annotate`: annotate images from nothing, in a browser, with the network's help."""

from pathlib import Path
from typing import Annotated

import typer

from irnet.cli.options import Out, gathered
from irnet.cli.view import Assistance, Browser, Host, Port


@gathered
def annotate(
    images: Annotated[
        list[Path], typer.Argument(help="Image files, and folders of them.", show_default=False)
    ],
    out: Out,
    assistance: Assistance,
    mpp: Annotated[
        float | None, typer.Option(help="um per pixel of the images.", show_default="what each file says")
    ] = None,
    host: Host = "127.0.0.1",
    port: Port = 8642,
    browser: Browser = None,
) -> None:
    """Annotate images that have no outlines yet: a page where the network draws cells at clicks and in boxes.

    Makes a data set in OUT, annotations.json without a cell and a copy of each image, or goes on with the one
    that is there. Every edit is on disk at once; exporting writes corrected.json.
    Images that cannot be read are left out, and listed in errors.json.

    Example:  irnet annotate smears -o set
    """
    from irnet.server.beginning import begin
    from irnet.server.serve import serve

    begun = begin(images, out, mpp)
    for line in begun.lines:
        typer.echo(line)
    serve(out, host=host, port=port, browser=browser, network=assistance.network(), announce=typer.echo)
    raise typer.Exit(begun.exit_code)
