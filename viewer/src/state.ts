// What the page knows and shows. Everything that draws listens to it; everything that changes it is here.

import * as api from "./api";
import { CELL, NUCLEUS, Refused, type Edit, type Id, type Instance, type Label, type Missing, type Session, type Summary } from "./api";
import { Teller } from "./events";
import { parseFilter, type Filter } from "./filter";
import { value } from "./measures";

export type Tool = "select" | "cell" | "nucleus" | "reshape" | "brush" | "erase" | "extend" | "cut" | "pair" | "ask-cell" | "ask-nucleus";

export interface Sort {
  column: string;
  falling: boolean;
}

export class State extends Teller {
  current!: Summary;
  instances = new Map<Id, Instance>();
  rows: Instance[] = []; // visible ones in the order of the table
  selected: Id | null = null;
  hovered: Id | null = null;
  tool: Tool = "select";
  shown: Record<Label, boolean> = { 1: true, 2: true };
  scores: Record<Label, number>;
  hidden = false; // every outline
  filled = false;
  openOnly = false;
  filter = "";
  sort: Sort = { column: "number", falling: false };
  busy = false;
  opening: string | null = null; // the image that is being read
  missing: Missing = { outlines: 0, measures: 0 };

  private wanted: Filter = { test: () => true, id: null, unknown: [], problem: "" };
  private working = false;
  private portion: Promise<unknown> = Promise.resolve(); // of what is missing, asked for last
  private turn: Promise<void> = Promise.resolve(); // of the last edit asked for

  constructor(readonly session: Session) {
    super();
    this.scores = { 1: session.scores["1"] ?? 0, 2: session.scores["2"] ?? 0 };
  }

  async open(index: number): Promise<void> {
    if (index < 0 || index >= this.session.images.length) return;
    this.opening = this.session.images[index]!.name;
    this.tell("loading");
    const { instances, missing, ...summary } = await api.image(index).finally(() => (this.opening = null));
    const same = this.current?.index === index;
    this.missing = missing;
    this.current = this.session.images[index] = summary;
    this.instances = new Map(instances.map((each) => [each.id, each]));
    if (!same) this.selected = null;
    this.hovered = null;
    this.tool = "select";
    if (!same) this.tell("image");
    this.refresh();
    this.tell("tool");
    this.work();
  }

  /** Get what is not made yet, portion by portion, between the edits. One loop is enough: it looks at the image in sight. */
  private work(): void {
    if (this.working) return;
    this.working = true;
    void this.workOn()
      .catch((error) => this.explain(error))
      .finally(() => (this.working = false));
  }

  private async workOn(): Promise<void> {
    while (this.missing.outlines + this.missing.measures) {
      for (let turn; turn !== this.turn; await turn) turn = this.turn; // edits go first
      const { index } = this.current;
      const asked = api.work(index);
      this.portion = asked.catch(() => undefined);
      const { rings, measures, missing } = await asked;
      if (this.current.index !== index) continue;
      this.missing = missing;
      for (const [id, made] of rings) this.know(id, { rings: made });
      for (const [id, made] of measures) this.know(id, { measures: made });
      if (rings.length) this.tell("outlines");
      if (measures.length) this.tellMeasures();
      if (!missing.outlines && !missing.measures && this.lacks()) await this.open(index); // another window got the rest
    }
  }

  private know(id: Id, made: Partial<Instance>): void {
    const each = this.instances.get(id);
    if (each) Object.assign(each, made);
  }

  private lacks(): boolean {
    return [...this.instances.values()].some((each) => !each.rings || !each.measures);
  }

  /** Only where the order or the filter is one of measures do the rows change. */
  private tellMeasures(): void {
    if (this.filter || !["number", "label", "score", "accepted"].includes(this.sort.column)) this.refresh();
    else this.tell("measures");
  }

  isVisible(each: Instance): boolean {
    if (this.wanted.id) return this.wanted.test(each);
    return this.shown[each.label] && this.isKept(each) && !(this.openOnly && each.accepted) && this.wanted.test(each);
  }

  /** Is it more than a proposal below the scores? */
  private isKept(each: Instance): boolean {
    return each.accepted || each.edited || each.score >= this.scores[each.label];
  }

  /** What is open and not looked at, because the search or the boxes of the classes hide it. */
  get unseen(): Instance[] {
    return [...this.instances.values()].filter((each) => this.isKept(each) && !each.accepted && !this.isVisible(each));
  }

  colour(each: Instance): string {
    if (each.label === CELL) return each.colour ?? "#ffffff";
    const cell = each.cell === null ? undefined : this.instances.get(each.cell);
    return cell?.colour ?? "#ffffff";
  }

  nucleiOf(id: Id): Instance[] {
    return [...this.instances.values()].filter((each) => each.cell === id && each.label === NUCLEUS);
  }

  /** Where a tile of the picture is. */
  tileUrl(halvings: number, x: number, y: number, version = this.session.source): string {
    return api.tileUrl(this.current.index, halvings, x, y, version);
  }

  /** Is a tool in use that changes masks? */
  get drawing(): boolean {
    return this.tool !== "select" && this.tool !== "pair";
  }

  get chosen(): Instance | undefined {
    return this.selected === null ? undefined : this.instances.get(this.selected);
  }

  select(id: Id | null): void {
    this.selected = id;
    if (this.tool === "reshape" || this.tool === "pair") this.use("select");
    this.tell("selection");
  }

  hover(id: Id | null): void {
    if (id === this.hovered) return;
    this.hovered = id;
    this.tell("hover");
  }

  use(tool: Tool): void {
    this.tool = tool;
    this.tell("tool");
  }

  /** Change what is shown and bring the table and the outlines up to date. */
  show(change: Partial<Pick<State, "hidden" | "filled" | "openOnly" | "filter" | "sort">>): void {
    Object.assign(this, change);
    if (change.filter !== undefined) this.search(change.filter);
    this.refresh();
  }

  /** Say what a filter cannot mean; show the instance of an id, in whichever image it is. */
  private search(text: string): void {
    const { images, labels, measures } = this.session;
    const known = measures.filter((name) => this.current.mpp !== null || !/_um2?$/.test(name));
    const before = this.wanted;
    this.wanted = parseFilter(text, labels, images.map((each) => each.name), new Set(known));

    const { id, unknown, problem } = this.wanted;
    if (problem) this.say(problem, true);
    else if (unknown.length) this.say(`Nothing here is called ${unknown.join(", ")}: left out of the filter (measures: score, ${known.join(", ")}).`, true);
    else if (before.unknown.length || before.id || before.problem) this.say("");
    if (id) void this.seek(id.image ?? this.current.name, id.number).catch((error) => this.explain(error));
  }

  private async seek(image: string, number: number): Promise<void> {
    if (image !== this.current.name) await this.open(this.session.images.findIndex((each) => each.name === image));
    if (this.wanted.id?.number !== number) return; // typed on meanwhile
    const found = [...this.instances.values()].find((each) => each.number === number);
    if (!found) return this.say(`${image} has no cell or nucleus #${number}.`, true);
    this.say("");
    this.select(found.id);
    this.tell("view");
  }

  refresh(): void {
    this.rows = [...this.instances.values()].filter((each) => this.isVisible(each));
    this.rows.sort(this.order());
    if (this.selected !== null && !this.instances.has(this.selected)) this.selected = null;
    this.tell("instances");
    this.tell("selection");
  }

  /** The next row of the table (way 1) or the one before (-1), not accepted ones first where asked. */
  move(way: 1 | -1): void {
    if (!this.rows.length) return;
    const at = this.rows.findIndex((each) => each.id === this.selected);
    const next = at < 0 ? (way > 0 ? 0 : this.rows.length - 1) : (at + way + this.rows.length) % this.rows.length;
    this.select(this.rows[next]!.id);
    this.tell("view");
  }

  edit(change: Edit): Promise<boolean> {
    const { index } = this.current;
    return this.change(index, () => api.edit(index, this.session.images[index]!.revision, change));
  }

  async step(way: "undo" | "redo"): Promise<boolean> {
    const { index } = this.current;
    if (this.current[way]) return this.change(index, () => api.step(index, this.session.images[index]!.revision, way));
    this.say(`Nothing to ${way}.`);
    return false;
  }

  /** One edit after the other; what the server says is then what is shown. */
  private change(index: number, send: () => Promise<api.Told>): Promise<boolean> {
    const done = this.turn.then(() => this.makeChange(index, send));
    this.turn = done.then(() => undefined);
    return done;
  }

  private async makeChange(index: number, send: () => Promise<api.Told>): Promise<boolean> {
    this.busy = true;
    this.tell("message");
    await this.portion; // or it would come after the edit, and tell what was before
    try {
      const { changed, gone, touched, missing, ...summary } = await send();
      this.session.images[index] = summary;
      if (this.current.index !== index) return true; // another image was opened meanwhile
      this.current = summary;
      this.missing = missing;
      for (const id of gone) this.instances.delete(id);
      for (const each of changed) this.instances.set(each.id, each);
      const one = touched.length && touched.find((id) => this.instances.has(id));
      if (this.chosen === undefined) this.selected = one ?? null;
      this.refresh();
      this.say("");
      this.work();
      return true;
    } catch (error) {
      await this.explain(error);
      return false;
    } finally {
      this.busy = false;
      this.tell("message");
    }
  }

  async explain(error: unknown): Promise<void> {
    this.say(error instanceof Error ? error.message : String(error), true);
    if (error instanceof Refused && error.status === 409) await this.open(this.current.index);
  }

  private order(): (a: Instance, b: Instance) => number {
    const { column, falling } = this.sort;
    const sign = falling ? -1 : 1;
    return (a, b) => {
      const [left, right] = [value(a, column), value(b, column)];
      if (left === right) return compare(a.id, b.id);
      if (left === null) return 1; // unknown last, whichever way
      if (right === null) return -1;
      return sign * compare(left, right);
    };
  }
}

function compare(a: number | string, b: number | string): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), undefined, { numeric: true });
}
