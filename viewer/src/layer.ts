// The outlines: one canvas over the picture, drawn anew with every frame of the viewport.

import type { Instance } from "./api";
import { thin } from "./geometry";
import type { State } from "./state";

export interface Frame {
  scale: number; // screen px per image px
  x: number; // of the image's top-left corner on the screen
  y: number;
  width: number;
  height: number;
}

const LINE = 1.5; // px on the screen
const TOLERANCE = 0.5; // px on the screen
const MARGIN = 5; // px on the screen

/** Outlines of an instance at scales 1, 1/2, 1/4 ..., made when first needed. */
interface Shapes {
  of: Instance;
  paths: Path2D[];
}

export class Layer {
  readonly canvas = document.createElement("canvas");
  frame: Frame = { scale: 1, x: 0, y: 0, width: 0, height: 0 };
  sketch: ((context: CanvasRenderingContext2D, frame: Frame) => void) | null = null; // of the tool in use

  private readonly context: CanvasRenderingContext2D;
  private readonly shapes = new Map<Instance["id"], Shapes>();

  constructor(private readonly state: State) {
    this.canvas.className = "outlines";
    this.context = this.canvas.getContext("2d")!;
  }

  /** Forget the outlines of the image before. */
  clear(): void {
    this.shapes.clear();
  }

  draw(frame: Frame): void {
    this.frame = frame;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [Math.round(frame.width * ratio), Math.round(frame.height * ratio)];
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
    }
    const { context } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    const { scale, x, y } = frame;
    context.setTransform(ratio * scale, 0, 0, ratio * scale, ratio * x, ratio * y);
    context.lineJoin = "round";
    if (!this.state.hidden) this.drawAll(frame);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.sketch?.(context, frame);
  }

  private drawAll(frame: Frame): void {
    const { state } = this;
    const seen = state.rows.filter((each) => isSeen(each, frame));
    const special = new Set([state.selected, state.hovered]);
    for (const each of seen) if (!special.has(each.id)) this.stroke(each, frame, each.accepted ? 0.55 : 1, LINE);
    const chosen = state.chosen;
    for (const each of chosen ? [...state.nucleiOf(chosen.id), ...seen.filter((cell) => cell.id === chosen.cell)] : []) {
      this.stroke(each, frame, 1, 2.5);
    }
    const hovered = state.hovered === null ? undefined : state.instances.get(state.hovered);
    if (hovered && hovered !== chosen) this.stroke(hovered, frame, 1, 2.5);
    if (chosen && isSeen(chosen, frame)) this.strokeChosen(chosen, frame);
  }

  private stroke(each: Instance, frame: Frame, alpha: number, line: number): void {
    const { context, state } = this;
    const path = this.path(each, frame.scale);
    context.strokeStyle = state.colour(each);
    context.lineWidth = line / frame.scale;
    context.globalAlpha = alpha;
    const loose = each.label === 2 && each.cell === null;
    context.setLineDash(loose ? [5 / frame.scale, 3 / frame.scale] : []);
    context.stroke(path);
    if (state.filled && each.label === 1) {
      context.fillStyle = state.colour(each);
      context.globalAlpha = 0.16 * alpha;
      context.fill(path, "evenodd");
    }
    context.globalAlpha = 1;
  }

  private strokeChosen(each: Instance, frame: Frame): void {
    const { context } = this;
    const path = this.path(each, frame.scale);
    context.setLineDash([]);
    context.fillStyle = this.state.colour(each);
    context.globalAlpha = 0.14;
    if (!this.state.drawing) context.fill(path, "evenodd"); // or it would tint what is looked at
    context.globalAlpha = 1;
    for (const [colour, line] of [["#000000", 6], ["#ffffff", 4.5], [this.state.colour(each), 2.5]] as const) {
      context.strokeStyle = colour;
      context.lineWidth = line / frame.scale;
      context.stroke(path);
    }
  }

  private path(each: Instance, scale: number): Path2D {
    let shapes = this.shapes.get(each.id);
    if (shapes?.of !== each) this.shapes.set(each.id, (shapes = { of: each, paths: [] }));
    const level = Math.max(0, Math.ceil(-Math.log2(scale)));
    return (shapes.paths[level] ??= trace(each, level));
  }
}

function trace(each: Instance, level: number): Path2D {
  const path = new Path2D();
  const tolerance = level ? TOLERANCE * 2 ** (level - 1) : 0;
  for (const ring of each.rings) {
    const points = thin(ring, tolerance);
    path.moveTo(points[0]!, points[1]!);
    for (let i = 2; i < points.length; i += 2) path.lineTo(points[i]!, points[i + 1]!);
    path.closePath();
  }
  return path;
}

function isSeen({ box: [x1, y1, x2, y2] }: Instance, { scale, x, y, width, height }: Frame): boolean {
  return x2 * scale + x > -MARGIN && y2 * scale + y > -MARGIN && x1 * scale + x < width + MARGIN && y1 * scale + y < height + MARGIN;
}
