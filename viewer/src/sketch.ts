// What a tool that is in use does and draws.

import type { Frame } from "./layer";
import type { Handler } from "./stage";

export interface Active extends Handler {
  keep?(): void;
  sketch?(context: CanvasRenderingContext2D, frame: Frame): void;
}

/** Stroke the path in white with a dark rim: it shows on any ground. */
export function twice(context: CanvasRenderingContext2D, line: number): void {
  for (const [colour, width] of [["#000000", line + 2], ["#ffffff", line]] as const) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.setLineDash([]);
    context.stroke();
  }
}
