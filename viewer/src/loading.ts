// What is not there yet and how far it is: lines with bars at the bottom of the picture, gone when all is there.

import { byId, make } from "./dom";
import type { Stage } from "./stage";
import type { State } from "./state";

export function showLoading(state: State, stage: Stage): void {
  const box = byId("loading");
  const update = (): void => {
    const lines: HTMLElement[] = [];
    if (state.opening !== null) lines.push(line(`reading the cells of ${state.opening}`));
    if (!stage.pictured) lines.push(line(`reading the picture, ${state.current.width} × ${state.current.height} px`));
    const { outlines, measures } = state.missing;
    const all = state.instances.size;
    if (outlines) lines.push(line("outlines", all - outlines, all));
    if (measures) lines.push(line("measured", all - measures, all));
    box.hidden = !lines.length;
    box.replaceChildren(...lines);
  };
  state.on(["image", "instances", "outlines", "measures", "loading"], update);
}

function line(what: string, done?: number, of?: number): HTMLElement {
  const bar = make("progress", of === undefined ? {} : { value: String(done), max: String(of) });
  const far = of === undefined ? "…" : ` ${done!.toLocaleString("en")} of ${of.toLocaleString("en")}`;
  return make("div", {}, make("span", {}, what + far), bar);
}
