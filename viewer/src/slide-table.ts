// The table of a slide: a hundred rows of it, in the order of a measure, as the server gives them.

import { CELL, NUCLEUS, type Instance, type Label } from "./api";
import { byId, digits, make } from "./dom";
import { FORMULAS, nameOf, value } from "./measures";
import { PAGE, type SlideState } from "./slide-state";

const SHORT: Record<string, string> = { number: "id", area_um2: "µm²", nc_ratio: "N:C", od_mean: "OD" };
const ALWAYS: Record<Label, string[]> = { 1: ["score", "area_um2", "nc_ratio"], 2: ["score", "area_um2", "od_mean"] };

export function showTable(state: SlideState): void {
  const head = make("div", { class: "head", role: "row" });
  const body = make("div", { class: "rows", tabindex: "-1" });
  const pager = make("span", { class: "quiet" });
  const [back, on] = [make("button", { title: "The hundred rows before" }, "‹"), make("button", { title: "The next hundred rows" }, "›")];
  byId("table").append(head, body, make("div", { class: "pager" }, back, pager, on));
  const go = (change: Parameters<SlideState["list"]>[0]): void => void state.list(change).catch((error) => state.explain(error));
  back.addEventListener("click", () => go({ offset: Math.max(0, state.listing.offset - PAGE) }));
  on.addEventListener("click", () => go({ offset: state.listing.offset + PAGE }));

  const sortBy = (sort: string): void => go({ sort, falling: state.listing.sort !== sort || !state.listing.falling, offset: 0 });
  const choice = byId<HTMLSelectElement>("sort");
  choice.addEventListener("change", () => go({ sort: choice.value, falling: true, offset: 0 }));
  for (const each of [choice, ...[CELL, NUCLEUS].map((label) => byId(`list-${label}`))]) each.addEventListener("change", () => each.blur()); // arrows go through the table
  byId("order").addEventListener("click", () => go({ falling: !state.listing.falling, offset: 0 }));
  for (const label of [CELL, NUCLEUS]) byId(`list-${label}`).addEventListener("change", () => go({ label, offset: 0 }));

  const update = (): void => {
    const { label, sort, falling, offset } = state.listing;
    const sorts = state.session.sorts[label];
    const columns = ["number", ...new Set([...ALWAYS[label].filter((name) => sorts.includes(name)), sort])];
    for (const list of [head, body]) list.style.setProperty("--columns", String(columns.length));
    head.replaceChildren(...columns.map((column) => heading(column, column === sort ? falling : null, column === "number" ? null : () => sortBy(column))));
    body.replaceChildren(...state.listed.map((each) => row(state, each, columns)));
    body.scrollTop = 0;
    choice.replaceChildren(...sorts.map((name) => make("option", { value: name, selected: name === sort }, nameOf(name))));
    byId("order").textContent = falling ? "↓ highest first" : "↑ lowest first";
    byId<HTMLInputElement>(`list-${label}`).checked = true;
    const [first, last, of] = [offset + 1, offset + state.listed.length, state.total].map((number) => number.toLocaleString("en"));
    pager.textContent = state.listed.length ? `${first}–${last} of ${of}` : "none";
    back.disabled = offset === 0;
    on.disabled = offset + PAGE >= state.total;
  };
  state.on(["list"], update);
  state.on(["selection"], () => {
    for (const each of body.children) each.classList.toggle("chosen", (each as HTMLElement).dataset["id"] === String(state.selected));
    body.querySelector(".chosen")?.scrollIntoView({ block: "nearest" });
  });
}

function heading(column: string, falling: boolean | null, sort: (() => void) | null): HTMLElement {
  const text = SHORT[column] ?? nameOf(column);
  if (!sort) return make("span", { class: `cell ${column}` }, text);
  const name = FORMULAS[column] ? `${nameOf(column)}: ${FORMULAS[column]}` : nameOf(column);
  const button = make("button", { class: `cell ${column}`, title: `Sort by ${name}` }, text + (falling === null ? "" : falling ? " ↓" : " ↑"));
  button.addEventListener("click", sort);
  return button;
}

function row(state: SlideState, each: Instance, columns: string[]): HTMLElement {
  const cells = columns.map((column) => make("span", { class: `cell ${column}` }, column === "number" ? `#${each.id}` : digits(value(each, column), column)));
  const line = make("div", { class: each.id === state.selected ? "row chosen" : "row", role: "row", "data-id": String(each.id) }, ...cells);
  line.addEventListener("click", () => void state.choose(each.id, true).catch((error) => state.explain(error)));
  return line;
}
