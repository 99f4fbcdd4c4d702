// How many cells lie where, as squares over the slide: what is seen of cells from afar.

import type { Box } from "./geometry";
import type { Frame } from "./layer";
import { holds, type SlideState } from "./slide-state";

const LEGIBLE = 46; // px on the screen of a square from which on its number is written
const STRONGEST = 0.55;
const COLOUR = "0 176 255"; // azure

/** What of the slide a frame shows. */
export function viewOf({ scale, x, y, width, height }: Frame): Box {
  return [-x / scale, -y / scale, (width - x) / scale, (height - y) / scale];
}

/** Draw the squares, unless each cell in sight has an outline. */
export function drawDensity(state: SlideState, context: CanvasRenderingContext2D, frame: Frame): void {
  const view = viewOf(frame);
  if (state.hidden || (state.seen && holds(state.seen, view))) return;
  const which = state.shown[1] ? 2 : 3; // cells, or nuclei where cells are not shown
  const most = state.counts.reduce((high, count) => Math.max(high, count[which]), 1);
  const side = state.current.side * frame.scale;
  const [edge, end] = [frame.x + state.current.width * frame.scale, frame.y + state.current.height * frame.scale];
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.font = "11px system-ui, sans-serif";
  for (const count of state.counts) {
    const [left, top, number] = [frame.x + count[0] * side, frame.y + count[1] * side, count[which]];
    if (!number || left > frame.width || top > frame.height || left + side < 0 || top + side < 0) continue;
    context.fillStyle = `rgb(${COLOUR} / ${(STRONGEST * number) / most})`;
    context.fillRect(left, top, Math.min(side, edge - left) - Number(side > 8), Math.min(side, end - top) - Number(side > 8));
    if (side < LEGIBLE) continue;
    context.lineWidth = 3;
    context.strokeStyle = "rgb(0 0 0 / 60%)";
    context.fillStyle = "#ffffff";
    context.strokeText(String(number), left + side / 2, top + side / 2);
    context.fillText(String(number), left + side / 2, top + side / 2);
  }
}
