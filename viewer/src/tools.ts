// Tools that change masks: drawing a region, moving the vertices of an outline, choosing a nucleus's cell.

import { CELL, NUCLEUS, type Edit, type Instance, type Label, type Ring } from "./api";
import { Brush } from "./brush";
import { boxArea, centre, holds, thin, type Point } from "./geometry";
import type { Frame } from "./layer";
import { hint, Pointing, Prompter } from "./prompter";
import { twice, type Active } from "./sketch";
import type { Pointer, Stage } from "./stage";
import type { State, Tool } from "./state";

const STEP = 3; // px on the screen between the points of a stroke
const GRIP = 7; // px on the screen: how near a vertex has to be to be taken
const COARSE = 1.2; // px on the screen: vertices of an outline to be reshaped

export const HINTS: Record<Tool, string> = {
  select: "",
  cell: "Draw the outline of a cell: drag, or click point by point and press Enter. Esc leaves.",
  nucleus: "Draw the outline of a nucleus: drag, or click point by point and press Enter. Esc leaves.",
  brush: "Paint over what belongs to the chosen outline; Alt takes off. , and . change the size, Z undoes. Esc leaves.",
  erase: "Paint over what does not belong to the chosen outline; Alt adds. , and . change the size, Z undoes. Esc leaves.",
  extend: "Draw round what belongs to the chosen outline too. Esc leaves.",
  cut: "Draw round what does not belong to the chosen outline. Esc leaves.",
  reshape: "Drag vertices; drag an edge for a new one; Alt-click removes one. Enter keeps, Esc drops.",
  "ask-cell": hint(CELL),
  "ask-nucleus": hint(NUCLEUS),
  pair: "Click the cell of this nucleus; click beside all cells for none. Esc leaves.",
};

export class Tools {
  private active: Active | null = null;
  private readonly prompter: Prompter;

  constructor(
    private readonly state: State,
    private readonly stage: Stage,
  ) {
    this.prompter = new Prompter(state);
    state.on(["tool"], () => this.start());
  }

  /** Take up the tool that the network draws with; in use already, show the next that it holds. */
  async ask(label: Label): Promise<void> {
    const { state } = this;
    const tool = label === CELL ? "ask-cell" : "ask-nucleus";
    if (!state.session.assisted) return state.say("No network is loaded: start irnet view with --assist.");
    if (state.tool === tool && (await this.prompter.next(label))) return;
    state.use(tool);
    this.prompter.prepare(label);
  }

  /** Take up a tool, where it can be used. */
  take(tool: Tool): void {
    const { chosen } = this.state;
    if (["reshape", "brush", "erase", "extend", "cut", "pair"].includes(tool) && !chosen) this.state.say("Choose a cell or nucleus first.");
    else if (tool === "ask-cell" || tool === "ask-nucleus") void this.ask(tool === "ask-cell" ? CELL : NUCLEUS);
    else if (tool === "pair" && chosen!.label !== NUCLEUS) this.state.say("Choose a nucleus: it is paired to a cell.");
    else this.state.use(tool);
  }

  /** Enter. Says whether there was something to keep. */
  keep(): boolean {
    if (!this.active?.keep) return false;
    this.active.keep();
    return true;
  }

  private start(): void {
    const { state, stage } = this;
    this.active = this.make(state.tool);
    stage.handler = this.active;
    stage.layer.sketch = this.active?.sketch?.bind(this.active) ?? null;
    stage.viewer.element.classList.toggle("drawing", state.drawing);
    if (HINTS[state.tool]) state.say(HINTS[state.tool]);
    stage.redraw(true);
  }

  private make(tool: Tool): Active | null {
    const { state, stage } = this;
    const { chosen } = state;
    if (tool === "cell" || tool === "nucleus") {
      const label = tool === "cell" ? CELL : NUCLEUS;
      return new Lasso(state, stage, (ring) => {
        state.selected = null; // the new one is chosen then
        return { op: "add", label, rings: [ring] };
      });
    }
    if (tool === "ask-cell" || tool === "ask-nucleus") return new Pointing(stage, this.prompter, tool === "ask-cell" ? CELL : NUCLEUS);
    if (!chosen) return null;
    if (tool === "brush" || tool === "erase") return new Brush(state, stage, tool === "brush");
    if (tool === "extend" || tool === "cut") return new Lasso(state, stage, (ring) => ({ op: "reshape", id: chosen.id, how: tool, rings: [ring] }));
    if (tool === "reshape") return new Vertices(state, stage, chosen);
    return tool === "pair" ? new Pairing(state, chosen) : null;
  }
}

/** A region drawn by dragging, or by clicks that Enter, or a click on the first point, closes. */
class Lasso implements Active {
  private ring: Ring = [];
  private end: Point | null = null;
  private stroke = false;

  constructor(
    private readonly state: State,
    private readonly stage: Stage,
    private readonly edit: (ring: Ring) => Edit,
  ) {}

  drag(at: Pointer): void {
    if (!this.stroke && !this.ring.length) this.stroke = true;
    if (this.stroke) this.add(at.image, STEP);
  }

  release(): void {
    if (this.stroke) this.keep();
  }

  click(at: Pointer): void {
    const [x, y] = this.ring;
    const near = x !== undefined && Math.hypot(at.image.x - x, at.image.y - y!) * this.stage.layer.frame.scale < GRIP;
    if (near && this.ring.length >= 6) this.keep();
    else this.add(at.image, 0);
  }

  move(at: Pointer): void {
    this.end = at.image;
    if (this.ring.length && !this.stroke) this.stage.redraw(true);
  }

  keep(): void {
    const { ring, state } = this;
    [this.ring, this.stroke] = [[], false];
    this.stage.redraw(true);
    if (ring.length < 6) state.say("An outline needs three points.");
    else void state.edit(this.edit(ring)).then((done) => done && state.use("select"));
  }

  sketch(context: CanvasRenderingContext2D, frame: Frame): void {
    const points = this.stroke || !this.end ? this.ring : [...this.ring, this.end.x, this.end.y];
    if (!this.ring.length) return;
    context.beginPath();
    for (let i = 0; i < points.length; i += 2) context.lineTo(points[i]! * frame.scale + frame.x, points[i + 1]! * frame.scale + frame.y);
    context.fillStyle = "rgb(255 255 255 / 12%)";
    context.fill();
    twice(context, 1.5);
  }

  private add({ x, y }: Point, step: number): void {
    const last = this.ring.length - 2;
    const moved = last < 0 ? Infinity : Math.hypot(x - this.ring[last]!, y - this.ring[last + 1]!);
    if (moved * this.stage.layer.frame.scale < step) return;
    this.ring.push(x, y);
    this.stage.redraw(true);
  }
}

/** The outer outline of an instance, vertex by vertex. */
class Vertices implements Active {
  private readonly ring: Ring;
  private taken = -1;
  private over = -1;
  private changed = false;

  constructor(
    private readonly state: State,
    private readonly stage: Stage,
    private readonly chosen: Instance,
  ) {
    this.ring = [...thin(chosen.rings?.[0] ?? [], COARSE / stage.layer.frame.scale)];
  }

  press(at: Pointer): void {
    this.taken = this.nearest(at.image);
    if (this.taken < 0) this.taken = this.split(at.image);
  }

  drag(at: Pointer): void {
    if (this.taken < 0) return;
    [this.ring[this.taken], this.ring[this.taken + 1]] = [at.image.x, at.image.y];
    this.changed = true;
    this.stage.redraw(true);
  }

  release(): void {
    this.taken = -1;
  }

  click(at: Pointer): void {
    const place = this.nearest(at.image);
    if (!at.event.altKey || place < 0 || this.ring.length <= 6) return;
    this.ring.splice(place, 2);
    this.changed = true;
    this.stage.redraw(true);
  }

  move(at: Pointer): void {
    const over = this.nearest(at.image);
    if (over !== this.over) this.stage.redraw(true);
    this.over = over;
  }

  keep(): void {
    const { state, chosen, ring } = this;
    if (!this.changed) state.use("select");
    else void state.edit({ op: "reshape", id: chosen.id, how: "replace", rings: [ring] }).then((done) => done && state.use("select"));
  }

  sketch(context: CanvasRenderingContext2D, { scale, x, y }: Frame): void {
    const { ring } = this;
    context.beginPath();
    for (let i = 0; i < ring.length; i += 2) context.lineTo(ring[i]! * scale + x, ring[i + 1]! * scale + y);
    context.closePath();
    twice(context, 1.5);
    for (let i = 0; i < ring.length; i += 2) {
      const size = i === this.over ? 9 : 6;
      const [left, top] = [ring[i]! * scale + x - size / 2, ring[i + 1]! * scale + y - size / 2];
      context.fillStyle = "#ffffff";
      context.fillRect(left, top, size, size);
      context.strokeStyle = "#000000";
      context.lineWidth = 1;
      context.strokeRect(left, top, size, size);
    }
  }

  private nearest({ x, y }: Point): number {
    const reach = GRIP / this.stage.layer.frame.scale;
    let [best, place] = [reach, -1];
    for (let i = 0; i < this.ring.length; i += 2) {
      const distance = Math.hypot(this.ring[i]! - x, this.ring[i + 1]! - y);
      if (distance < best) [best, place] = [distance, i];
    }
    return place;
  }

  /** A new vertex on the edge under the point, or -1. */
  private split({ x, y }: Point): number {
    const { ring } = this;
    const reach = GRIP / this.stage.layer.frame.scale;
    for (let i = 0, j = ring.length - 2; i < ring.length; j = i, i += 2) {
      const [ax, ay, bx, by] = [ring[j]!, ring[j + 1]!, ring[i]!, ring[i + 1]!];
      const squared = (bx - ax) ** 2 + (by - ay) ** 2 || 1;
      const t = Math.min(1, Math.max(0, ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / squared));
      if (Math.hypot(ax + t * (bx - ax) - x, ay + t * (by - ay) - y) < reach) {
        ring.splice(j + 2, 0, x, y);
        return j + 2;
      }
    }
    return -1;
  }
}

/** The cell of a nucleus, by a click. Where cells overlap, clicks go from one to the next. */
class Pairing implements Active {
  constructor(
    private readonly state: State,
    private readonly nucleus: Instance,
  ) {}

  click({ image }: Pointer): void {
    const { state, nucleus } = this;
    const cells = owners(state, image);
    const next = cells[(cells.findIndex((cell) => cell.id === nucleus.cell) + 1) % cells.length];
    void state.edit({ op: "pair", id: nucleus.id, cell: next?.id ?? null }).then((done) => done && state.use("select"));
  }
}

/** Give the chosen nucleus to the next of the cells that cover its middle; after the last to none. */
export async function giveToNext(state: State): Promise<void> {
  const { chosen } = state;
  if (chosen?.label !== NUCLEUS) return state.say("Choose a nucleus: it is given to the next cell that covers it.");
  const cells = owners(state, centre(chosen));
  const next = cells[cells.findIndex((cell) => cell.id === chosen.cell) + 1];
  if (!next && chosen.cell === null) return state.say("No cell covers this nucleus.");
  await state.edit({ op: "pair", id: chosen.id, cell: next?.id ?? null });
}

function owners(state: State, at: Point): Instance[] {
  const cells = [...state.instances.values()].filter((each) => each.label === CELL && holds(each, at));
  return cells.sort((a, b) => boxArea(a) - boxArea(b));
}
