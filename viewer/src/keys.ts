// Every key of the review loop, what it does, and the page that lists them.

import { CELL, NUCLEUS } from "./api";
import { resize } from "./brush";
import { byId, make } from "./dom";
import { lookNext } from "./doubts";
import type { Stage } from "./stage";
import type { State } from "./state";
import { giveToNext, type Tools } from "./tools";

interface Key {
  keys: string[]; // as KeyboardEvent.key, letters in lower case; "Shift+" and "Ctrl+" before it
  shown: string;
  does: string;
  run: () => void;
}

type Group = [string, Key[]];

const OWN_KEYS = /^(Enter| |Arrow.*|Page.*|Home|End)$/; // of buttons, boxes and sliders

export function bindKeys(state: State, stage: Stage, tools: Tools): Map<string, () => void> {
  const groups = list(state, stage, tools);
  const bound = new Map(groups.flatMap(([, keys]) => keys.flatMap(({ keys: names, run }) => names.map((name) => [name, run] as const))));
  fillHelp(groups);
  document.addEventListener("keydown", (event) => {
    const target = event.target as HTMLElement;
    const typing = target instanceof HTMLInputElement && target.type === "text";
    const operated = target.matches("button, input") && target.matches(":focus-visible") && OWN_KEYS.test(event.key); // by keys alone
    if (typing || operated || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const run = bound.get(spell(event));
    if (!run) return;
    event.preventDefault();
    run();
  });
  document.addEventListener("click", (event) => {
    const button = (event.target as HTMLElement).closest("button");
    if (event.detail) button?.blur(); // or Enter would press it again
  });
  return bound;
}

function spell(event: KeyboardEvent): string {
  const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const shift = event.shiftKey && /^[a-z]$|^.{2,}$/.test(name) ? "Shift+" : "";
  return `${event.ctrlKey ? "Ctrl+" : ""}${shift}${name}`;
}

function list(state: State, stage: Stage, tools: Tools): Group[] {
  const key = (keys: string, shown: string, does: string, run: () => void): Key => ({ keys: keys.split(" "), shown, does, run });
  let turn: Promise<unknown> = Promise.resolve();
  /** Keys pressed faster than the server answers wait for their turn: each finds what the one before left. */
  const inTurn = (act: () => unknown) => () => void (turn = turn.then(act).catch((error) => state.explain(error)));
  const image = (way: number) => inTurn(() => state.open(state.current.index + way));
  const size = (factor: number): void => {
    state.say(`Brush: ${resize(factor)} px on the screen.`);
    stage.redraw(true);
  };
  const toggle = (label: 1 | 2) => () => {
    state.shown[label] = !state.shown[label];
    state.refresh();
  };
  const asking = [
    key("w", "W", "the network draws a missing cell at a click or in a box; again: what else it holds", inTurn(() => tools.ask(CELL))),
    key("q", "Q", "the same of a nucleus", inTurn(() => tools.ask(NUCLEUS))),
  ];
  return [
    [
      "Go through",
      [
        key("ArrowDown j", "↓ J", "next cell in the table", inTurn(() => state.move(1))),
        key("ArrowUp k", "↑ K", "cell before", inTurn(() => state.move(-1))),
        key("PageDown ]", "PgDn ]", "next image", image(1)),
        key("PageUp [", "PgUp [", "image before", image(-1)),
        key("t", "T", "what most needs a look, and the next of it", inTurn(() => lookNext(state))),
        key("g", "G", "go to the chosen cell", () => stage.reveal(true)),
        key("/", "/", "search by id, or filter the table", () => byId("filter").focus()),
      ],
    ],
    [
      "Decide",
      [
        key("a Enter", "A Enter", "accept, then the next one", () => tools.keep() || inTurn(() => accept(state))()),
        key("d Delete", "D Del", "delete, then the next one", inTurn(() => remove(state))),
        key("l", "L", "cell ↔ nucleus", inTurn(() => relabel(state))),
        key("o", "O", "give the nucleus to the next cell over it", inTurn(() => giveToNext(state))),
        key("p", "P", "choose the cell of the nucleus", () => tools.take("pair")),
        key("Shift+a", "Shift A", "image finished: accept all shown, next image", inTurn(() => finish(state))),
        key("Shift+o", "Shift O", "open a finished image again", inTurn(() => state.edit({ op: "finish", ids: [], finished: false }))),
        key("z Ctrl+z", "Z", "undo", inTurn(() => state.step("undo"))),
        key("y Shift+z Ctrl+y Ctrl+Shift+z", "Y", "redo", inTurn(() => state.step("redo"))),
      ],
    ],
    [
      "Draw",
      [
        key("c", "C", "new cell", () => tools.take("cell")),
        key("n", "N", "new nucleus", () => tools.take("nucleus")),
        ...(state.session.assisted ? asking : []),
        key("b", "B", "brush: paint over what belongs to the outline (Alt: what does not)", () => tools.take("brush")),
        key("v", "V", "eraser: paint over what does not belong to it (Alt: what does)", () => tools.take("erase")),
        key(", <", ",", "smaller brush", () => size(1 / 1.25)),
        key(". >", ".", "larger brush", () => size(1.25)),
        key("e", "E", "extend the mask by a region", () => tools.take("extend")),
        key("x", "X", "cut a region off the mask", () => tools.take("cut")),
        key("r", "R", "reshape the outline", () => tools.take("reshape")),
        key("Escape", "Esc", "leave the tool; choose nothing", () => leave(state)),
      ],
    ],
    [
      "See",
      [
        key("1", "1", "cells on or off", toggle(CELL)),
        key("2", "2", "nuclei on or off", toggle(NUCLEUS)),
        key("h", "H", "all outlines on or off", () => state.show({ hidden: !state.hidden })),
        key("f", "F", "cells filled or not", () => state.show({ filled: !state.filled })),
        key("u", "U", "only what is not accepted", () => state.show({ openOnly: !state.openOnly })),
        key("0", "0", "whole image", () => stage.fit()),
        key("+ =", "+", "larger", () => stage.zoom(1.4)),
        key("-", "−", "smaller", () => stage.zoom(1 / 1.4)),
        key("Shift+ArrowLeft", "Shift ←↑↓→", "move the picture", () => stage.pan(-0.2, 0)),
        ...([["Right", 0.2, 0], ["Up", 0, -0.2], ["Down", 0, 0.2]] as const).map(([way, x, y]) => key(`Shift+Arrow${way}`, "", "", () => stage.pan(x, y))),
        key("s", "S", "export", () => byId<HTMLDialogElement>("export-dialog").showModal()),
        key("?", "?", "this page", () => byId<HTMLDialogElement>("help-dialog").showModal()),
      ],
    ],
  ];
}

/** Do something to the chosen instance and go on to the one that came after it. */
async function actAndGoOn(state: State, act: (id: number | string) => Promise<boolean>): Promise<void> {
  const { selected, rows } = state;
  if (selected === null) return state.say("Nothing chosen: ↓ chooses the first.");
  const at = rows.findIndex((each) => each.id === selected);
  const next = rows[at + 1]?.id ?? null;
  if (!(await act(selected))) return;
  if (next !== null && state.instances.has(next)) state.select(next);
  state.tell("view");
}

function accept(state: State): Promise<void> {
  return actAndGoOn(state, (id) => state.edit({ op: "accept", ids: [id], accepted: true }));
}

function remove(state: State): Promise<void> {
  return actAndGoOn(state, (id) => state.edit({ op: "delete", ids: [id] }));
}

async function relabel(state: State): Promise<void> {
  const { chosen } = state;
  if (chosen) await state.edit({ op: "relabel", ids: [chosen.id], label: chosen.label === CELL ? NUCLEUS : CELL });
}

async function finish(state: State): Promise<void> {
  const ids = state.rows.filter((each) => !each.accepted).map((each) => each.id);
  const { index } = state.current;
  if (!(await state.edit({ op: "finish", ids, finished: true }))) return;
  if (index + 1 < state.session.images.length) await state.open(index + 1);
  else state.say("That was the last image.");
}

function leave(state: State): void {
  if (state.tool !== "select") {
    state.use("select");
    state.say("");
  } else state.select(null);
}

function fillHelp(groups: Group[]): void {
  byId("help-keys").replaceChildren(
    ...groups.map(([name, keys]) =>
      make("section", {}, make("h3", {}, name), ...keys.filter(({ shown }) => shown).map(({ shown, does }) => make("p", {}, make("kbd", {}, shown), does))),
    ),
  );
}
