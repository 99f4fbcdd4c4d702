// What the page of slides knows: cells in sight, a page of the table, what is chosen. All else stays with the server.

import { CELL, NUCLEUS, type Id, type Instance, type Label } from "./api";
import { Teller } from "./events";
import { union, type Box } from "./geometry";
import * as api from "./slide-api";
import type { Count, Listing, Session, Slide } from "./slide-api";
import type { Looked } from "./stage";

export const PAGE = 100; // rows of the table
const AROUND = 0.25; // of the view on each side is asked for with it
const CLOSER = 0.3; // of the area that was asked for: cells there may have outlines
const PATIENCE = 120; // ms without a move before cells are asked for

export class SlideState extends Teller implements Looked {
  current!: Slide;
  instances = new Map<Id, Instance>();
  rows: Instance[] = []; // in sight
  counts: Count[] = [];
  seen: Box | null = null; // where all cells are known
  crowded = false; // there is too much in sight to be drawn
  shown: Record<Label, boolean> = { 1: true, 2: true };
  hidden = false;
  filled = false;
  readonly drawing = false;
  selected: Id | null = null;
  hovered: Id | null = null;
  listing: Listing = { label: CELL, sort: "score", falling: true, offset: 0 };
  listed: Instance[] = [];
  total = 0; // rows of the table on all pages

  private inView: Instance[] = [];
  private family: Instance[] = []; // of what is chosen
  private looked = ""; // the view of the last move
  private timer = 0;
  private asked = 0; // number of the last question about a view
  private turns = 0; // and about the table

  constructor(readonly session: Session) {
    super();
  }

  async open(index: number): Promise<void> {
    if (index < 0 || index >= this.session.slides.length) return;
    this.current = this.session.slides[index]!;
    this.asked += 1;
    this.looked = "";
    [this.inView, this.family, this.counts, this.seen, this.selected, this.hovered] = [[], [], [], null, null, null];
    this.tell("image");
    this.gather();
    const [{ counts }] = await Promise.all([api.counts(index), this.list({ offset: 0 })]);
    if (this.current.index !== index) return;
    this.counts = counts;
    this.tell("instances");
  }

  tileUrl(halvings: number, x: number, y: number): string {
    return api.tileUrl(this.current.index, halvings, x, y);
  }

  /** Get the cells of a view once it rests, unless they are known; of a much smaller view also their outlines. */
  look(view: Box): void {
    if (view.join() === this.looked) return; // a tile that came moves nothing
    this.looked = view.join();
    window.clearTimeout(this.timer);
    const closer = this.boxed && area(view) < CLOSER * area(this.seen!);
    if (this.seen && holds(this.seen, view) && !closer) return;
    this.timer = window.setTimeout(() => void this.ask(view).catch((error) => this.explain(error)), PATIENCE);
  }

  private async ask([x1, y1, x2, y2]: Box): Promise<void> {
    const [dx, dy] = [AROUND * (x2 - x1), AROUND * (y2 - y1)];
    const { index, width, height } = this.current;
    const box: Box = [Math.max(0, x1 - dx), Math.max(0, y1 - dy), Math.min(width, x2 + dx), Math.min(height, y2 + dy)];
    const turn = ++this.asked;
    const outside = box[0] >= box[2] || box[1] >= box[3];
    const found = outside ? [] : await api.cells(index, box);
    if (turn !== this.asked) return; // moved on meanwhile
    this.crowded = found === null;
    this.inView = found ?? [];
    this.seen = found && [x1 - dx, y1 - dy, x2 + dx, y2 + dy];
    this.gather();
  }

  /** Are there boxes in sight instead of outlines? */
  get boxed(): boolean {
    return this.inView.some((each) => !each.rings);
  }

  /** Change the order of the table, or go to another page of it. */
  async list(change: Partial<Listing>): Promise<void> {
    this.listing = { ...this.listing, ...change };
    const sorts = this.session.sorts[this.listing.label];
    if (!sorts.includes(this.listing.sort)) this.listing.sort = sorts[0]!;
    const turn = ++this.turns;
    const { listed, total } = await api.rows(this.current.index, this.listing);
    if (turn !== this.turns) return;
    [this.listed, this.total] = [listed, total];
    this.tell("list");
  }

  select(id: Id | null): void {
    this.selected = id;
    if (id === null) {
      this.family = [];
      this.gather();
      this.tell("selection");
    } else void this.choose(id).catch((error) => this.explain(error));
  }

  /** Choose an instance wherever it lies; `go` brings it into sight. */
  async choose(id: Id, go = false): Promise<void> {
    this.selected = id;
    const family = await api.family(this.current.index, id);
    if (this.selected !== id) return;
    this.family = family;
    this.gather();
    this.tell("selection");
    if (go) this.tell("view");
  }

  /** The next row of the table (way 1) or the one before (-1), over the ends of its pages. */
  async move(way: 1 | -1): Promise<void> {
    const { offset } = this.listing;
    let at = this.listed.findIndex((each) => each.id === this.selected) + way;
    if (this.selected === null || !this.listed.some((each) => each.id === this.selected)) at = way > 0 ? 0 : this.listed.length - 1;
    if (at >= this.listed.length && offset + PAGE < this.total) {
      await this.list({ offset: offset + PAGE });
      at = 0;
    } else if (at < 0 && offset > 0) {
      await this.list({ offset: Math.max(0, offset - PAGE) });
      at = this.listed.length - 1;
    }
    const next = this.listed[at];
    if (next) await this.choose(next.id, true);
  }

  hover(id: Id | null): void {
    if (id === this.hovered) return;
    this.hovered = id;
    this.tell("hover");
  }

  show(change: Partial<Pick<SlideState, "hidden" | "filled" | "shown">>): void {
    Object.assign(this, change);
    this.gather();
  }

  isVisible(each: Instance): boolean {
    return this.shown[each.label];
  }

  get chosen(): Instance | undefined {
    return this.selected === null ? undefined : this.instances.get(this.selected);
  }

  /** Where what is chosen lies, with its cell or nuclei; about a nucleus without a cell there is room for one. */
  get around(): Box | undefined {
    const { chosen } = this;
    if (!chosen) return undefined;
    if (chosen.label === NUCLEUS && chosen.cell === null) {
      const [x1, y1, x2, y2] = chosen.box;
      return [2 * x1 - x2, 2 * y1 - y2, 2 * x2 - x1, 2 * y2 - y1];
    }
    return this.family.map(({ box }) => box).reduce(union, chosen.box);
  }

  nucleiOf(id: Id): Instance[] {
    return this.family.filter((each) => each.cell === id && each.label === NUCLEUS);
  }

  colour(each: Instance): string {
    return each.colour ?? "#ffffff";
  }

  explain(error: unknown): void {
    this.say(error instanceof Error ? error.message : String(error), true);
  }

  /** Put together what is in sight and what is chosen. */
  private gather(): void {
    this.instances = new Map([...this.inView, ...this.family].map((each) => [each.id, each]));
    this.rows = [...this.instances.values()].filter((each) => this.isVisible(each));
    this.tell("instances");
  }
}

export function holds([a, b, c, d]: Box, [x1, y1, x2, y2]: Box): boolean {
  return a <= x1 && b <= y1 && c >= x2 && d >= y2;
}

function area([x1, y1, x2, y2]: Box): number {
  return (x2 - x1) * (y2 - y1);
}
