// The page of slides: tiles of pixels, cells in sight, a table that the server sorts. It changes nothing.

import { CELL, NUCLEUS } from "./api";
import { bind, key, moving } from "./bindings";
import { drawDensity, viewOf } from "./density";
import { byId, digits, make } from "./dom";
import { FORMULAS, nameOf } from "./measures";
import { listFacts, showPlace, type Fact } from "./panel";
import * as api from "./slide-api";
import { SlideState } from "./slide-state";
import { showTable } from "./slide-table";
import { Stage } from "./stage";

async function start(): Promise<void> {
  const state = new SlideState(await api.session());
  document.title = `${state.session.name} – irnet view`;
  byId("set").textContent = state.session.name;
  const stage = new Stage(state, byId("stage"));
  stage.layer.sketch = (context, frame) => drawDensity(state, context, frame);
  stage.viewer.addHandler("update-viewport", () => state.look(viewOf(stage.frame())));
  state.on(["view"], () => stage.reveal(true, state.around));
  state.on(["image", "loading"], () => (byId("loading").hidden = stage.pictured));
  listSlides(state);
  showTable(state);
  showChosen(state);
  showPlace(state, stage);
  showSight(state);
  bindAll(state, stage);
  Object.assign(window, { irnet: { state, stage } }); // for benchmarks and the console
  await state.open(0);
}

function listSlides(state: SlideState): void {
  const open = (index: number): void => void state.open(index).catch((error) => state.explain(error));
  const entries = state.session.slides.map(({ name, index, cells }) => {
    const entry = make("button", { class: "image", title: name }, make("span", { class: "name" }, name), make("span", { class: "mark" }, cells.toLocaleString("en")));
    entry.addEventListener("click", () => open(index));
    return entry;
  });
  byId("images").replaceChildren(...entries);
  state.on(["image"], () => {
    entries.forEach((entry, index) => entry.classList.toggle("chosen", index === state.current.index));
    byId("notes").replaceChildren(...state.current.notes.map((note) => make("li", {}, note)));
  });
}

function showChosen(state: SlideState): void {
  const box = byId("detail");
  const update = (): void => {
    const each = state.chosen;
    if (!each) return box.replaceChildren(make("p", { class: "quiet" }, "Nothing chosen. Click a row or an outline; ? shows every key."));
    const swatch = make("i", { class: each.label === CELL ? "dot" : "dot small" });
    swatch.style.borderColor = state.colour(each);
    const head = make("h2", {}, swatch, ` ${state.session.labels[each.label]} ${state.current.name}#${each.id}`);
    const partner = each.label === CELL ? state.nucleiOf(each.id).map(({ id }) => `#${id}`).join(" ") : each.cell === null ? "" : `#${each.cell}`;
    const facts: Fact[] = [
      ["score", digits(each.score, "score")],
      [each.label === CELL ? "nuclei" : "cell", partner || "none"],
    ];
    for (const [name, value] of Object.entries(each.measures ?? {})) if (value !== null && name !== "nuclei") facts.push([nameOf(name), digits(value, name), FORMULAS[name]]);
    box.replaceChildren(head, listFacts(facts));
  };
  state.on(["image", "selection"], update);
}

/** Say what is drawn: outlines, boxes or how many cells lie where. */
function showSight(state: SlideState): void {
  state.on(["instances"], () => {
    byId("sight").textContent = state.crowded ? "cells per square: zoom in for outlines" : state.boxed ? "boxes: zoom in for outlines" : "outlines";
  });
}

function bindAll(state: SlideState, stage: Stage): void {
  const turn = (way: 1 | -1) => () => void state.move(way).catch((error) => state.explain(error));
  const slide = (way: number) => () => void state.open(state.current.index + way).catch((error) => state.explain(error));
  const toggle = (label: 1 | 2) => () => state.show({ shown: { ...state.shown, [label]: !state.shown[label] } });
  const search = byId<HTMLInputElement>("find");
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter") seek(state, search.value);
    if (event.key === "Escape" || event.key === "Enter") search.blur();
  });
  bind([
    [
      "Go through",
      [
        key("ArrowDown j", "↓ J", "next row of the table", turn(1)),
        key("ArrowUp k", "↑ K", "row before", turn(-1)),
        key("PageDown ]", "PgDn ]", "next slide", slide(1)),
        key("PageUp [", "PgUp [", "slide before", slide(-1)),
        key("g", "G", "go to what is chosen", () => stage.reveal(true, state.around)),
        key("/", "/", "go to an id", () => search.focus()),
        key("Escape", "Esc", "choose nothing", () => state.select(null)),
      ],
    ],
    [
      "See",
      [
        key("1", "1", "cells on or off", toggle(CELL)),
        key("2", "2", "nuclei on or off", toggle(NUCLEUS)),
        key("h", "H", "all that is drawn on or off", () => state.show({ hidden: !state.hidden })),
        key("f", "F", "cells filled or not", () => state.show({ filled: !state.filled })),
        ...moving(stage),
        key("?", "?", "this page", () => byId<HTMLDialogElement>("help-dialog").showModal()),
      ],
    ],
  ]);
  byId("help").addEventListener("click", () => byId<HTMLDialogElement>("help-dialog").showModal());
  byId("help-close").addEventListener("click", () => byId<HTMLDialogElement>("help-dialog").close());
}

/** Go to an id: #17, 17, or slide#17 as a report has it. */
function seek(state: SlideState, text: string): void {
  const [, name, digits] = /^(?:(.*)#)?\s*(\d+)$/.exec(text.trim()) ?? [];
  if (digits === undefined) return state.say(`${text}: no id; those of a report look like slide#17, or #17`, true);
  const index = name ? state.session.slides.findIndex((each) => each.name === name) : state.current.index;
  if (index < 0) return state.say(`There is no slide ${name} here.`, true);
  const go = index === state.current.index ? Promise.resolve() : state.open(index);
  state.say("");
  go.then(() => state.choose(Number(digits), true)).catch((error) => state.explain(error));
}

start().catch((error: unknown) => {
  byId("loading").hidden = true;
  const line = byId("message");
  line.textContent = error instanceof Error ? error.message : String(error);
  line.classList.add("bad");
});
