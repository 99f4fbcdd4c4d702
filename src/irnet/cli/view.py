"""`irnet view`: look at what was found and correct it, in a browser."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from irnet.cli.options import Device, Model, gathered

if TYPE_CHECKING:
    from irnet.server.assistant import Network

Host = Annotated[str, typer.Option(help="Address to serve on.")]
Port = Annotated[int, typer.Option(help="Port to serve on, 0 for any.", min=0, max=65535)]
Browser = Annotated[
    bool | None,
    typer.Option("--browser/--no-browser", help="Open the page.", show_default="where there is a desktop"),
]


@dataclass(frozen=True)
class Assistance:
    """The network that draws where one points."""

    model: Model = None
    device: Device = "auto"

    def network(self) -> "Network":
        """The same for the server."""
        from irnet.server.assistant import Network

        return Network(self.model, self.device)


@gathered
def view(
    out: Annotated[
        Path,
        typer.Argument(
            help="Folder of irnet predict or irnet slide, or a data set or COCO file.", show_default=False
        ),
    ],
    assistance: Assistance,
    host: Host = "127.0.0.1",
    port: Port = 8642,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of the images or slides.", show_default="where they were read"),
    ] = None,
    browser: Browser = None,
    assist: Annotated[
        bool, typer.Option("--assist", help="Let the network draw a cell at a click or in a box.")
    ] = False,
) -> None:
    """Look at what was found, correct it, and export it as training data: a page for the browser.

    Every edit is on disk at once (corrections.jsonl in OUT); the predictions
    stay as they were. Exporting writes corrected.json. The address printed holds
    a token, without which nobody reads or edits. Whole slides are looked at
    only: tiles, the cells in sight, a table by measures.

    Example:  irnet view found --assist
    """
    from irnet.server.serve import serve

    network = assistance.network() if assist else None
    serve(out, host=host, port=port, data=data, browser=browser, network=network, announce=typer.echo)
