// What keys do: bound to the page, and listed in its help.

import { byId, make } from "./dom";
import type { Stage } from "./stage";

export interface Key {
  keys: string[]; // as KeyboardEvent.key, letters in lower case; "Shift+" and "Ctrl+" before it
  shown: string;
  does: string;
  run: () => void;
}

export type Group = [string, Key[]];

const OWN_KEYS = /^(Enter| |Arrow.*|Page.*|Home|End)$/; // of buttons, boxes and sliders

export const key = (keys: string, shown: string, does: string, run: () => void): Key => ({ keys: keys.split(" "), shown, does, run });

export function bind(groups: Group[]): Map<string, () => void> {
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

function fillHelp(groups: Group[]): void {
  byId("help-keys").replaceChildren(
    ...groups.map(([name, keys]) =>
      make("section", {}, make("h3", {}, name), ...keys.filter(({ shown }) => shown).map(({ shown, does }) => make("p", {}, make("kbd", {}, shown), does))),
    ),
  );
}

/** The keys that move the picture. */
export function moving(stage: Stage): Key[] {
  return [
    key("0", "0", "whole image", () => stage.fit()),
    key("+ =", "+", "larger", () => stage.zoom(1.4)),
    key("-", "−", "smaller", () => stage.zoom(1 / 1.4)),
    key("Shift+ArrowLeft", "Shift ←↑↓→", "move the picture", () => stage.pan(-0.2, 0)),
    ...([["Right", 0.2, 0], ["Up", 0, -0.2], ["Down", 0, 0.2]] as const).map(([way, x, y]) => key(`Shift+Arrow${way}`, "", "", () => stage.pan(x, y))),
  ];
}
