// The brush: what is painted over is added to the chosen mask, or taken off it. A stroke is one edit.

import type { Ring } from "./api";
import { thinLine, type Point } from "./geometry";
import type { Frame } from "./layer";
import type { Pointer, Stage } from "./stage";
import type { State } from "./state";
import type { Active } from "./sketch";

const STEP = 2; // px on the screen between the points of a stroke
const ROUND = 12; // edges of half a circle
const MOST = 900; // pieces of a stroke; the server takes 1,000 outlines
const SIZES = { least: 2, most: 150 }; // px on the screen
const TINTS = { paint: "rgb(255 255 255 / 40%)", erase: "rgb(255 90 60 / 45%)" };

let radius = 12; // px on the screen: it stays from one use to the next

/** Another size of the brush, in px on the screen. */
export function resize(factor: number): number {
  radius = Math.min(SIZES.most, Math.max(SIZES.least, radius * factor));
  return Math.round(radius);
}

interface Stroke {
  line: Ring; // image px
  radius: number; // image px
  paints: boolean;
}

export class Brush implements Active {
  private stroke: Stroke | null = null;
  private waiting: Stroke[] = []; // until the server has them
  private at: Point | null = null; // of the pointer, px of the stage

  constructor(
    private readonly state: State,
    private readonly stage: Stage,
    private readonly paints: boolean,
  ) {}

  press({ image, event }: Pointer): void {
    if (event.shiftKey) return; // it moves the picture
    this.stroke = { line: [image.x, image.y], radius: radius / this.stage.layer.frame.scale, paints: this.paints !== event.altKey };
    this.stage.redraw(true);
  }

  drag({ image, screen }: Pointer): void {
    this.at = screen;
    const { stroke } = this;
    if (!stroke) return;
    const [x, y] = stroke.line.slice(-2);
    if (Math.hypot(image.x - x!, image.y - y!) * this.stage.layer.frame.scale >= STEP) stroke.line.push(image.x, image.y);
    this.stage.redraw(true);
  }

  release(): void {
    const { stroke, state } = this;
    const { chosen } = state;
    this.stroke = null;
    if (!stroke || !chosen) return;
    this.waiting.push(stroke);
    const how = stroke.paints ? "extend" : "cut";
    void state.edit({ op: "reshape", id: chosen.id, how, rings: capsules(stroke) }).then(() => {
      this.waiting = this.waiting.filter((each) => each !== stroke);
      this.stage.redraw(true);
    });
  }

  click(): void {} // a dab was painted when the button was released; it chooses nothing

  move({ screen }: Pointer): void {
    this.at = screen;
    this.stage.redraw(true);
  }

  sketch(context: CanvasRenderingContext2D, { scale, x, y }: Frame): void {
    context.lineCap = context.lineJoin = "round";
    context.setLineDash([]);
    for (const { line, radius: size, paints } of [...this.waiting, ...(this.stroke ? [this.stroke] : [])]) {
      context.beginPath();
      for (let i = 0; i < line.length; i += 2) context.lineTo(line[i]! * scale + x, line[i + 1]! * scale + y);
      context.lineTo(line.at(-2)! * scale + x + 0.01, line.at(-1)! * scale + y); // a dab is a line too
      context.strokeStyle = paints ? TINTS.paint : TINTS.erase;
      context.lineWidth = 2 * size * scale;
      context.stroke();
    }
    if (!this.at) return;
    for (const [colour, width] of [["#000000", 3], [this.paints ? "#ffffff" : "#ff8a73", 1.2]] as const) {
      context.beginPath();
      context.arc(this.at.x, this.at.y, radius, 0, 2 * Math.PI);
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.stroke();
    }
  }
}

/** The region of a stroke as outlines that together cover it: of each piece of its line a rectangle with round ends. */
function capsules({ line, radius: size }: Stroke): Ring[] {
  let [thinned, tolerance] = [line, size / 50];
  do thinned = thinLine(line, (tolerance *= 2));
  while (thinned.length / 2 > MOST);
  if (thinned.length === 2) thinned = [...thinned, ...thinned];

  const rings: Ring[] = [];
  for (let i = 0; i + 3 < thinned.length; i += 2) {
    const [ax, ay, bx, by] = thinned.slice(i, i + 4) as [number, number, number, number];
    rings.push([...halfCircle(ax, ay, size, Math.atan2(by - ay, bx - ax) + Math.PI / 2), ...halfCircle(bx, by, size, Math.atan2(by - ay, bx - ax) - Math.PI / 2)]);
  }
  return rings;
}

function halfCircle(x: number, y: number, size: number, from: number): Ring {
  const ring: Ring = [];
  for (let i = 0; i <= ROUND; i++) {
    const angle = from + (i * Math.PI) / ROUND;
    ring.push(Math.round(10 * (x + size * Math.cos(angle))) / 10, Math.round(10 * (y + size * Math.sin(angle))) / 10);
  }
  return ring;
}
