// The outlines, on two canvases over the picture: all of them, drawn anew with every frame of the viewport, and above
// them what is chosen, pointed at and drawn, which changes far more often.

import type { Instance } from "./api";
import { thin } from "./geometry";

/** What is drawn. */
export interface Drawn {
  readonly instances: ReadonlyMap<Instance["id"], Instance>;
  readonly rows: readonly Instance[]; // those in sight
  readonly hovered: Instance["id"] | null;
  readonly chosen: Instance | undefined;
  readonly hidden: boolean;
  readonly filled: boolean;
  readonly drawing: boolean; // a tool changes masks
  isVisible(each: Instance): boolean;
  nucleiOf(id: Instance["id"]): Instance[];
  colour(each: Instance): string;
}

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
  readonly canvases = [document.createElement("canvas"), document.createElement("canvas")] as const;
  frame: Frame = { scale: 1, x: 0, y: 0, width: 0, height: 0 };
  sketch: ((context: CanvasRenderingContext2D, frame: Frame) => void) | null = null; // of the tool in use

  private readonly contexts: readonly CanvasRenderingContext2D[];
  private readonly shapes = new Map<Instance["id"], Shapes>();

  constructor(private readonly state: Drawn) {
    for (const canvas of this.canvases) canvas.className = "outlines";
    this.contexts = this.canvases.map((canvas) => canvas.getContext("2d")!);
  }

  /** Forget the outlines of the image before. */
  clear(): void {
    this.shapes.clear();
  }

  draw(frame: Frame): void {
    this.frame = frame;
    const context = this.begin(0);
    const seen = this.state.hidden ? [] : this.state.rows.filter((each) => isSeen(each, frame));
    for (const each of seen) this.stroke(context, each, each.accepted ? 0.55 : 1, LINE);
    this.drawTop();
  }

  /** Only what is chosen, pointed at and drawn. */
  drawTop(): void {
    const { frame, state } = this;
    const context = this.begin(1);
    if (!state.hidden) this.drawMarked(context);
    const ratio = window.devicePixelRatio || 1;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.sketch?.(context, frame);
  }

  /** A canvas that is empty, with the image's pixels as its units. */
  private begin(which: 0 | 1): CanvasRenderingContext2D {
    const [canvas, context] = [this.canvases[which], this.contexts[which]!];
    const { scale, x, y, ...size } = this.frame;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [Math.round(size.width * ratio), Math.round(size.height * ratio)];
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
    }
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    context.setTransform(ratio * scale, 0, 0, ratio * scale, ratio * x, ratio * y);
    context.lineJoin = "round";
    return context;
  }

  private drawMarked(context: CanvasRenderingContext2D): void {
    const { state, frame } = this;
    const { chosen } = state;
    const cell = chosen?.cell == null ? undefined : state.instances.get(chosen.cell);
    for (const each of chosen ? [...state.nucleiOf(chosen.id), ...(cell ? [cell] : [])] : []) {
      if (state.isVisible(each) && isSeen(each, frame)) this.stroke(context, each, 1, 2.5);
    }
    const hovered = state.hovered === null ? undefined : state.instances.get(state.hovered);
    if (hovered && hovered !== chosen) this.stroke(context, hovered, 1, 2.5);
    if (chosen && isSeen(chosen, frame)) this.strokeChosen(context, chosen);
  }

  private stroke(context: CanvasRenderingContext2D, each: Instance, alpha: number, line: number): void {
    const { state } = this;
    const { scale } = this.frame;
    const path = this.path(each, scale);
    context.strokeStyle = state.colour(each);
    context.lineWidth = line / scale;
    context.globalAlpha = each.rings ? alpha : 0.4;
    const loose = each.label === 2 && each.cell === null;
    context.setLineDash(loose && each.rings ? [5 / scale, 3 / scale] : []);
    context.stroke(path);
    if (state.filled && each.label === 1 && each.rings) {
      context.fillStyle = state.colour(each);
      context.globalAlpha = 0.16 * alpha;
      context.fill(path, "evenodd");
    }
    context.globalAlpha = 1;
  }

  private strokeChosen(context: CanvasRenderingContext2D, each: Instance): void {
    const { drawing } = this.state;
    const path = this.path(each, this.frame.scale);
    context.setLineDash([]);
    context.fillStyle = this.state.colour(each);
    context.globalAlpha = 0.14;
    if (!drawing) context.fill(path, "evenodd"); // or it would tint what is looked at
    context.globalAlpha = 1;
    const lines = drawing ? ([["#000000", 4], [this.state.colour(each), 2]] as const) : ([["#000000", 6], ["#ffffff", 4.5], [this.state.colour(each), 2.5]] as const);
    for (const [colour, line] of lines) {
      context.strokeStyle = colour;
      context.lineWidth = line / this.frame.scale;
      context.stroke(path);
    }
  }

  private path(each: Instance, scale: number): Path2D {
    if (!each.rings) return around(each);
    let shapes = this.shapes.get(each.id);
    if (shapes?.of !== each) this.shapes.set(each.id, (shapes = { of: each, paths: [] }));
    const level = Math.max(0, Math.ceil(-Math.log2(scale)));
    return (shapes.paths[level] ??= trace(each, level));
  }
}

function trace(each: Instance, level: number): Path2D {
  const path = new Path2D();
  const tolerance = level ? TOLERANCE * 2 ** (level - 1) : 0;
  for (const ring of each.rings!) {
    const points = thin(ring, tolerance);
    path.moveTo(points[0]!, points[1]!);
    for (let i = 2; i < points.length; i += 2) path.lineTo(points[i]!, points[i + 1]!);
    path.closePath();
  }
  return path;
}

/** The box, as long as there is no outline. */
function around({ box: [x1, y1, x2, y2] }: Instance): Path2D {
  const path = new Path2D();
  path.rect(x1, y1, x2 - x1, y2 - y1);
  return path;
}

function isSeen({ box: [x1, y1, x2, y2] }: Instance, { scale, x, y, width, height }: Frame): boolean {
  return x2 * scale + x > -MARGIN && y2 * scale + y > -MARGIN && x1 * scale + x < width + MARGIN && y1 * scale + y < height + MARGIN;
}
