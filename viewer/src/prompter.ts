// The network draws: a cell at a click, or in a box. What it holds at a click is gone through with the same key.

import * as api from "./api";
import { CELL, type Found, type Label, type Prompt } from "./api";
import type { Point } from "./geometry";
import type { Frame } from "./layer";
import { twice, type Active } from "./sketch";
import type { Pointer, Stage } from "./stage";
import type { State } from "./state";

const LEAST = 4; // px on the screen: a shorter drag is a click

interface Offer {
  label: Label;
  found: Found[];
  place: number; // of the one that is shown
  index: number; // of the image
  revision: number; // that the image had when it was drawn
}

/** Asks the server, one question at a time, and draws what comes. */
export class Prompter {
  private offer: Offer | null = null;
  private ready = -1; // the image that the network was made ready for
  private waiting = false;

  constructor(private readonly state: State) {}

  /** Make the network look at the image, so that the first click need not wait for it. */
  prepare(label: Label): void {
    const { index } = this.state.current;
    if (this.ready === index || this.waiting) return;
    this.ready = index;
    this.state.say("The network looks at this image, once …");
    void this.send({ label }).then((found) => found && this.state.say(hint(label)));
  }

  async ask(asked: Prompt): Promise<void> {
    const { state } = this;
    if (this.waiting) return state.say("One after the other: the network is still looking.");
    this.offer = null;
    state.say("The network looks …");
    const { index } = state.current;
    const found = await this.send(asked);
    if (!found || state.current.index !== index) return;
    if (!found.length) return state.say(`The network holds nothing more here: drag a box, or draw it (${asked.label === CELL ? "C" : "N"}).`);
    await this.draw({ label: asked.label, found, place: 0, index, revision: 0 });
  }

  /** Show the next that the network holds at the last click, in the place of the one that is shown. Says whether there was a click. */
  async next(label: Label): Promise<boolean> {
    const { offer, state } = this;
    if (!offer || offer.label !== label || offer.index !== state.current.index || offer.revision !== state.current.revision) return false;
    if (offer.found.length < 2) state.say("The network holds nothing else there.");
    else if (await state.step("undo")) await this.draw({ ...offer, place: (offer.place + 1) % offer.found.length });
    return true;
  }

  private async draw(offer: Offer): Promise<void> {
    const { state } = this;
    const { label, found, place } = offer;
    state.selected = null; // the new one is chosen then
    if (!(await state.edit({ op: "add", label, rings: found[place]!.rings, origin: "assisted" }))) return;
    this.offer = { ...offer, revision: state.current.revision };
    const key = label === CELL ? "W" : "Q";
    const more = found.length > 1 ? `${place + 1} of ${found.length} that the network holds here: ${key} shows the next, ` : "";
    state.say(`${more}Z takes it back, R reshapes it.`);
  }

  private async send(asked: Prompt): Promise<Found[] | null> {
    this.waiting = true;
    try {
      return (await api.prompt(this.state.current.index, asked)).found;
    } catch (error) {
      this.ready = -1;
      await this.state.explain(error);
      return null;
    } finally {
      this.waiting = false;
    }
  }
}

export function hint(label: Label): string {
  const [what, key] = label === CELL ? ["cell", "W"] : ["nucleus", "Q"];
  return `Click a missing ${what}, or drag a box around it: the network draws it. ${key} again shows what else it holds. Esc leaves.`;
}

/** A click, or a box that is dragged. */
export class Pointing implements Active {
  private from: Point | null = null;
  private to: Point | null = null;

  constructor(
    private readonly stage: Stage,
    private readonly prompter: Prompter,
    private readonly label: Label,
  ) {}

  press(at: Pointer): void {
    [this.from, this.to] = [at.image, null];
  }

  drag(at: Pointer): void {
    this.to = at.image;
    this.stage.redraw(true);
  }

  release(): void {
    const { from, to, label } = this;
    [this.from, this.to] = [null, null];
    this.stage.redraw(true);
    if (!from || !to || !this.isBox(from, to)) return;
    const [x1, x2] = [Math.min(from.x, to.x), Math.max(from.x, to.x)];
    const [y1, y2] = [Math.min(from.y, to.y), Math.max(from.y, to.y)];
    void this.prompter.ask({ label, box: [x1, y1, x2, y2] });
  }

  click({ image }: Pointer): void {
    void this.prompter.ask({ label: this.label, point: [image.x, image.y] });
  }

  sketch(context: CanvasRenderingContext2D, { scale, x, y }: Frame): void {
    const { from, to } = this;
    if (!from || !to) return;
    context.beginPath();
    context.rect(from.x * scale + x, from.y * scale + y, (to.x - from.x) * scale, (to.y - from.y) * scale);
    twice(context, 1.5);
  }

  private isBox(from: Point, to: Point): boolean {
    const { scale } = this.stage.layer.frame;
    return Math.min(Math.abs(from.x - to.x), Math.abs(from.y - to.y)) * scale >= LEAST;
  }
}
