// The panels round the picture: images, what is shown, the chosen instance, the status line, the export.

import * as api from "./api";
import { byId, digits, make } from "./dom";
import { doubts } from "./doubts";
import { FORMULAS, inMicrons, nameOf } from "./measures";
import type { Looked, Stage } from "./stage";
import type { State } from "./state";

const TAIL = 9; // characters of a name that are never cut off

export function listImages(state: State): void {
  const list = byId("images");
  const entries = state.session.images.map(({ name }, index) => {
    const mark = make("span", { class: "mark" });
    const tail = make("span", {}, name.slice(-TAIL)); // names of a series differ there
    const head = make("span", { class: "name" }, name.slice(0, -TAIL));
    const entry = make("button", { class: "image", title: name }, head, tail, mark);
    entry.addEventListener("click", () => void state.open(index).catch((error) => state.explain(error)));
    return { entry, mark };
  });
  list.replaceChildren(...entries.map(({ entry }) => entry));

  let shown = -1;
  const update = (): void => {
    const { images } = state.session;
    byId("progress").textContent = `${images.filter((each) => each.finished).length} of ${images.length} finished`;
    for (const [index, { mark }] of entries.entries()) {
      const { finished, undo, doubtful } = images[index]!;
      mark.textContent = finished ? "✓" : `${undo ? "• " : ""}${doubtful || ""}`;
      mark.title = finished ? "finished" : [undo ? "edited" : "", doubtful ? `${doubtful} near the threshold` : ""].filter(Boolean).join(", ");
    }
    if (shown === state.current.index) return;
    entries[shown]?.entry.classList.remove("chosen");
    shown = state.current.index;
    entries[shown]!.entry.classList.add("chosen");
    entries[shown]!.entry.scrollIntoView({ block: "nearest" });
  };
  state.on(["instances"], update);
  state.on(["instances", "measures"], () => (byId("doubts").textContent = String(doubts(state).length)));
}

export function showFilters(state: State): void {
  const box = byId("classes");
  const counts: HTMLElement[] = [];
  for (const label of [1, 2] as const) {
    const toggle = make("input", { type: "checkbox", checked: true, id: `show-${label}` });
    const slider = make("input", { type: "range", min: "0", max: "1", step: "0.01", "aria-label": `Least score of ${state.session.labels[label]}` });
    const number = make("output", {}, state.scores[label].toFixed(2));
    const count = make("span", { class: "count" });
    slider.value = String(state.scores[label]);
    toggle.addEventListener("change", () => {
      state.shown[label] = toggle.checked;
      state.refresh();
    });
    slider.addEventListener("input", () => {
      state.scores[label] = Number(slider.value);
      number.textContent = state.scores[label].toFixed(2);
      state.refresh();
    });
    state.on(["instances"], () => (toggle.checked = state.shown[label]));
    counts.push(count);
    const name = make("label", { for: `show-${label}` }, toggle, ` ${state.session.labels[label]}`);
    box.append(make("div", { class: "class" }, name, count, make("span", { class: "from" }, "score ≥"), slider, number));
  }
  const filter = byId<HTMLInputElement>("filter");
  filter.addEventListener("input", () => state.show({ filter: filter.value }));
  filter.addEventListener("keydown", (event) => {
    if (event.key === "Escape" || event.key === "Enter") filter.blur();
  });
  const open = byId<HTMLInputElement>("open-only");
  open.addEventListener("change", () => state.show({ openOnly: open.checked }));
  state.on(["instances"], () => {
    open.checked = state.openOnly;
    const all = [...state.instances.values()];
    counts.forEach((count, i) => {
      const of = (rows: api.Instance[]): number => rows.filter((each) => each.label === i + 1).length;
      count.textContent = `${of(state.rows)} / ${of(all)}`;
    });
  });
}

export function showDetail(state: State): void {
  const box = byId("detail");
  const update = (): void => {
    const each = state.chosen;
    if (!each) {
      box.replaceChildren(make("p", { class: "quiet" }, "Nothing chosen. Click an outline or a row; ? shows every key."));
      return;
    }
    const swatch = make("i", { class: each.label === 1 ? "dot" : "dot small" });
    swatch.style.borderColor = state.colour(each);
    const marks = [each.accepted ? "accepted" : "open", ...(each.edited ? ["edited"] : [])].join(", ");
    const head = make("h2", {}, swatch, ` ${state.session.labels[each.label]} ${state.current.name}#${each.number}`, make("span", { class: "quiet" }, marks));
    const cell = each.cell === null ? undefined : state.instances.get(each.cell);
    const partner = each.label === 1 ? state.nucleiOf(each.id).map((n) => `#${n.number}`).join(" ") || "none" : cell ? `#${cell.number}` : "none";
    const origin = each.origin ?? state.session.origin;
    const rows: Fact[] = [
      ["score", digits(each.score, "score")],
      ...(origin === null ? [] : [["origin", origin] as [string, string]]),
      [each.label === 1 ? "nuclei" : "cell", partner],
    ];
    for (const [name, value] of Object.entries(each.measures ?? {})) {
      if (value !== null && name !== "nuclei" && !name.startsWith("box_") && inMicrons(name, each) === name) rows.push([nameOf(name), digits(value, name), FORMULAS[name]]);
    }
    box.replaceChildren(head, listFacts(rows), ...(each.measures ? [] : [make("p", { class: "quiet" }, `not measured yet: ${state.missing.measures} wait`)]));
  };
  state.on(["selection", "measures"], update);
}

/** Name, value and formula. */
export type Fact = [string, string, string?];

export function listFacts(facts: Fact[]): HTMLElement {
  const list = make("dl");
  for (const [name, text, formula] of facts) list.append(make("div", {}, make("dt", { title: formula ? `${name}: ${formula}` : name }, name), make("dd", {}, text)));
  return list;
}

export function showStatus(state: State, stage: Stage): void {
  showPlace(state, stage);
  state.on(["message"], () => (byId("saved").textContent = state.busy ? "saving …" : "all edits saved"));
}

/** Size, zoom, the place of the pointer, and what is said. */
export function showPlace(state: Looked & { current: { mpp: number | null } }, stage: Stage): void {
  const place = byId("place");
  const update = (): void => {
    const { width, height, mpp } = state.current;
    byId("size").textContent = `${width} × ${height} px${mpp === null ? "" : ` · ${mpp} µm/px`}`;
    byId("zoom").textContent = `${Math.round(stage.layer.frame.scale * 100)} %`;
  };
  state.on(["image", "instances"], update);
  stage.viewer.addHandler("update-viewport", update);
  state.on(["message"], () => {
    const line = byId("message");
    line.textContent = state.message.text;
    line.classList.toggle("bad", state.message.bad);
  });
  stage.onPointer = (at) => {
    place.textContent = at ? `${Math.floor(at.image.x)}, ${Math.floor(at.image.y)}` : "";
  };
}

export function prepareExport(state: State): void {
  const dialog = byId<HTMLDialogElement>("export-dialog");
  const formats = byId<HTMLSelectElement>("format");
  formats.append(...state.session.formats.map((name) => make("option", { value: name }, name)));
  const finished = byId<HTMLInputElement>("finished-only");
  byId("export-write").addEventListener("click", () => {
    dialog.close();
    const request = { format: formats.value, finished_only: finished.checked, scores: { 1: state.scores[1], 2: state.scores[2] } };
    api.write(request).then(
      ({ path, images, notes }) => state.say([`Written: ${path}`, ...(images ? [`${images} images copied beside it`] : []), ...notes].join(" · ")),
      (error) => state.explain(error),
    );
  });
  byId("export-cancel").addEventListener("click", () => dialog.close());
}
