// What to look at next: what is shown, is not accepted and most needs a person, image by image.

import { NUCLEUS, type Instance } from "./api";
import type { State } from "./state";

const NEAR = 0.2; // scores nearer to the threshold of the run are doubtful
const SURE = 0.9; // pairing confidence from which nobody need look
const HEAPED = 0.6; // share of a cell that lies in overlaps, from which its outline is doubtful
const HEAP = 0.7; // how doubtful one is that lies in overlaps altogether

interface Doubt {
  each: Instance;
  size: number; // 0 to 1
  why: string;
}

/** What needs a look in the image in sight, the most doubtful first. */
export function doubts(state: State): Doubt[] {
  const found = state.rows.filter((each) => !each.accepted).map((each) => doubt(state, each));
  return found.filter(({ size }) => size > 0).sort((a, b) => b.size - a.size || a.each.number - b.each.number);
}

/** Choose the next that needs a look, in this image or else in the one with most of it. */
export async function lookNext(state: State): Promise<void> {
  const waiting = doubts(state);
  const next = waiting[waiting.findIndex(({ each }) => each.id === state.selected) + 1];
  if (next) {
    state.select(next.each.id);
    state.tell("view");
    return state.say(`${next.why}. A accepts it, D deletes it, T goes on.`);
  }

  const others = state.session.images.filter((each) => !each.finished && each.doubtful && each.index !== state.current.index);
  const [most] = others.sort((a, b) => b.doubtful - a.doubtful || a.index - b.index);
  if (!most) return state.say("Nothing else needs a look.");
  await state.open(most.index);
  const [first] = doubts(state);
  if (!first) return;
  state.select(first.each.id);
  state.tell("view");
  state.say(`${most.name}: ${first.why}. A accepts it, D deletes it, T goes on.`);
}

function doubt(state: State, each: Instance): Doubt {
  const cut = state.session.scores[String(each.label)] ?? 0;
  const [sure, overlap] = [number(each, "pairing_confidence"), number(each, "overlap_fraction")];
  const all: [number, string][] = [
    [cut ? 1 - Math.abs(each.score - cut) / NEAR : 0, `Its score, ${each.score.toFixed(2)}, is near the threshold of ${cut.toFixed(2)}`],
    [each.label === NUCLEUS && sure !== null ? (SURE - sure) / SURE : 0, `Which cell it belongs to is uncertain (${sure?.toFixed(2)})`],
    [overlap === null || each.label === NUCLEUS ? 0 : (HEAP * (overlap - HEAPED)) / (1 - HEAPED), `${Math.round(100 * (overlap ?? 0))} % of it lies in overlaps`],
  ];
  const [size, why] = all.reduce((a, b) => (b[0] > a[0] ? b : a));
  return { each, size, why };
}

function number({ measures }: Instance, name: string): number | null {
  const value = measures?.[name];
  return typeof value === "number" ? value : null;
}
