// Every key of the review loop and what it does.

import { CELL, NUCLEUS } from "./api";
import { bind, key, moving, type Group } from "./bindings";
import { resize } from "./brush";
import { byId } from "./dom";
import { lookNext } from "./doubts";
import type { Stage } from "./stage";
import type { State } from "./state";
import { giveToNext, type Tools } from "./tools";

export function bindKeys(state: State, stage: Stage, tools: Tools): Map<string, () => void> {
  return bind(list(state, stage, tools));
}

function list(state: State, stage: Stage, tools: Tools): Group[] {
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
        ...moving(stage),
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
  const unseen = state.unseen.length;
  if (unseen) return state.say(`${unseen} ${unseen === 1 ? "is" : "are"} hidden by the search or by class: show ${unseen === 1 ? "it" : "them"}, then finish.`);
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
