// The measures that matter most of the instance under the pointer, beside it: what is looked at is never covered.

import type { Instance } from "./api";
import { byId, digits, make } from "./dom";
import { union, type Box } from "./geometry";
import { inMicrons, nameOf } from "./measures";
import type { Stage } from "./stage";
import type { State } from "./state";

const GAP = 10; // px on the screen
const SHOWN = ["area_px", "nc_ratio", "nuclei", "overlap_fraction"];

export function showTip(state: State, stage: Stage): void {
  const tip = byId("tip");
  const update = (): void => {
    const each = state.hovered === null ? undefined : state.instances.get(state.hovered);
    tip.hidden = !each || state.drawing;
    if (!each || tip.hidden) return;
    tip.replaceChildren(...lines(state, each));
    const { width, height } = stage.layer.frame;
    const [left, top] = beside(onScreen(stage, looked(state, each)), [tip.offsetWidth, tip.offsetHeight], [width, height]);
    tip.style.left = `${left}px`;
    tip.style.top = `${top}px`;
  };
  state.on(["hover", "instances", "measures", "selection", "tool"], update);
  stage.viewer.addHandler("update-viewport", update);
}

/** The box of what is looked at: the instance, its cell, and what is chosen if it lies there too. */
function looked(state: State, each: Instance): Box {
  const cell = each.cell === null ? undefined : state.instances.get(each.cell);
  const { chosen } = state;
  const met = chosen && meet(chosen.box, each.box) ? chosen : undefined;
  return [cell, met].reduce<Box>((box, other) => (other ? union(box, other.box) : box), each.box);
}

function meet(a: Box, b: Box): boolean {
  return a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];
}

function onScreen(stage: Stage, [x1, y1, x2, y2]: Box): Box {
  const { scale, x, y } = stage.layer.frame;
  return [x1 * scale + x, y1 * scale + y, x2 * scale + x, y2 * scale + y];
}

/** Where the tip has room beside a box: right, left, below, above; else the corner that it covers least. */
function beside([x1, y1, x2, y2]: Box, [width, height]: [number, number], [right, bottom]: [number, number]): [number, number] {
  const within = (at: number, most: number): number => Math.min(Math.max(at, GAP), most);
  const [mostX, mostY] = [right - width - GAP, bottom - height - GAP];
  if (x2 + GAP <= mostX) return [Math.max(x2 + GAP, GAP), within(y1, mostY)];
  if (x1 - GAP - width >= GAP) return [Math.min(x1 - GAP - width, mostX), within(y1, mostY)];
  if (y2 + GAP <= mostY) return [within(x1, mostX), Math.max(y2 + GAP, GAP)];
  if (y1 - GAP - height >= GAP) return [within(x1, mostX), Math.min(y1 - GAP - height, mostY)];
  return [right - x2 > x1 ? mostX : GAP, bottom - y2 > y1 ? mostY : GAP];
}

function lines(state: State, each: Instance): HTMLElement[] {
  const known = SHOWN.map((name) => (name === "area_px" ? inMicrons(name, each) : name)).filter((name) => each.measures?.[name] != null);
  const rows = [["score", digits(each.score, "score")], ...known.map((name) => [nameOf(name), digits(each.measures![name], name)])];
  const head = make("b", {}, `${state.session.labels[each.label]} #${each.number}`);
  const waits = each.measures ? [] : [make("div", {}, make("span", {}, "not measured yet"))];
  return [head, ...rows.map(([name, text]) => make("div", {}, make("span", {}, name!), make("span", {}, text!))), ...waits];
}
