// The table: one row a visible instance, only those in sight are elements. Its order is that of the review.

import { digits, make } from "./dom";
import type { Instance } from "./api";
import { FORMULAS, nameOf, value } from "./measures";
import type { State } from "./state";

const ROW = 24; // px
const SPARE = 6; // rows beyond what is in sight

const SHORT: Record<string, string> = {
  number: "id",
  label: "",
  score: "score",
  accepted: "✓",
  area_um2: "µm²",
  area_px: "px²",
  nc_ratio: "N:C",
  nuclei: "nuclei",
};

export class Table {
  private readonly head = make("div", { class: "head", role: "row" });
  private readonly body = make("div", { class: "body" });
  private readonly scroll = make("div", { class: "rows", tabindex: "-1" }, this.body);
  private columns: string[] = [];

  constructor(
    private readonly state: State,
    element: HTMLElement,
  ) {
    element.append(this.head, this.scroll);
    this.scroll.addEventListener("scroll", () => this.fill());
    new ResizeObserver(() => this.fill()).observe(this.scroll);
    this.body.addEventListener("click", (event) => this.click(event, false));
    this.body.addEventListener("dblclick", (event) => this.click(event, true));
    state.on(["instances"], () => this.update());
    state.on(["selection"], () => this.reveal());
    state.on(["hover", "measures"], () => this.fill());
  }

  onOpen: () => void = () => {};

  private update(): void {
    this.columns = ["number", "label", "score", this.state.current.mpp === null ? "area_px" : "area_um2", "nc_ratio", "nuclei", "accepted"];
    const { sort } = this.state;
    this.head.replaceChildren(
      ...this.columns.map((column) => {
        const arrow = sort.column === column ? (sort.falling ? " ↓" : " ↑") : "";
        const name = column === "label" ? "class" : column === "number" ? "id" : nameOf(column);
        const formula = FORMULAS[column] ? `: ${FORMULAS[column]}` : "";
        const cell = make("button", { class: `cell ${column}`, title: `Sort by ${name}${formula}` }, (SHORT[column] ?? name) + arrow);
        if (column === "label") cell.textContent = arrow.trim() || "·";
        cell.addEventListener("click", () => this.sortBy(column));
        return cell;
      }),
    );
    this.body.style.height = `${this.state.rows.length * ROW}px`;
    this.fill();
  }

  private sortBy(column: string): void {
    const { sort } = this.state;
    this.state.show({ sort: { column, falling: sort.column === column && !sort.falling } });
  }

  /** Make the rows in sight. */
  private fill(): void {
    const { rows } = this.state;
    const first = Math.max(0, Math.floor(this.scroll.scrollTop / ROW) - SPARE);
    const last = Math.min(rows.length, Math.ceil((this.scroll.scrollTop + this.scroll.clientHeight) / ROW) + SPARE);
    this.body.replaceChildren(...rows.slice(first, last).map((each, i) => this.row(each, first + i)));
  }

  private row(each: Instance, place: number): HTMLElement {
    const { state } = this;
    const marks = ["row", each.id === state.selected && "chosen", each.id === state.hovered && "hovered", each.accepted && "accepted"];
    const row = make("div", { class: marks.filter(Boolean).join(" "), role: "row", "data-place": String(place) });
    row.style.top = `${place * ROW}px`;
    for (const column of this.columns) row.append(this.cell(each, column));
    return row;
  }

  private cell(each: Instance, column: string): HTMLElement {
    const cell = make("span", { class: `cell ${column}` });
    if (column === "label") {
      const dot = make("i", { class: each.label === 1 ? "dot" : "dot small", title: this.state.session.labels[each.label] ?? "" });
      dot.style.borderColor = this.state.colour(each);
      cell.append(dot);
    } else if (column === "accepted") cell.textContent = each.accepted ? "✓" : each.edited ? "•" : "";
    else if (column === "number") cell.textContent = `#${each.number}`;
    else cell.textContent = column === "score" || each.measures ? digits(value(each, column), column) : "…";
    return cell;
  }

  private click(event: MouseEvent, open: boolean): void {
    const row = (event.target as HTMLElement).closest<HTMLElement>(".row");
    const each = row && this.state.rows[Number(row.dataset["place"])];
    if (!each) return;
    this.state.select(each.id);
    if (open) this.onOpen();
    else this.state.tell("view");
  }

  private reveal(): void {
    const place = this.state.rows.findIndex((each) => each.id === this.state.selected);
    const top = place * ROW;
    const { scrollTop, clientHeight } = this.scroll;
    if (place >= 0 && (top < scrollTop || top + ROW > scrollTop + clientHeight)) this.scroll.scrollTop = top - clientHeight / 2;
    this.fill();
  }
}
