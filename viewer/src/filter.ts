// The filter above the table: ids such as #17, words, and comparisons such as score<0.6 or nuclei=0, all of which must hold.

import type { Instance } from "./api";
import { alias, inMicrons, value } from "./measures";

export type Test = (each: Instance) => boolean;

export interface Filter {
  test: Test;
  id: { image: string | null; number: number } | null; // that is searched for
  unknown: string[]; // terms that name nothing
  problem: string; // of an id: which image is meant?
}

const COMPARISON = /^([^<>=]+)(<=|>=|<|>|=)(.*)$/;
const NUMBER = /^-?(\d+\.?\d*|\.\d+)(e-?\d+)?$/;
const ID = /^(?:(.*)#)?(\d*)$/; // the number may not be typed yet
const SHOWN = 3; // names of images that an id may mean
const STATES = ["accepted", "open", "edited"];

/** `images` and `measures` are the names that can be meant. */
export function parseFilter(text: string, labels: Record<string, string>, images: string[], measures: Set<string>): Filter {
  const [whole, image, number] = ID.exec(text.trim()) ?? [];
  if (whole) return parseId(image ?? "", number!, images);
  const unknown: string[] = [];
  const tests = text.trim().toLowerCase().split(/\s+/).filter(Boolean).map((term) => {
    const test = parseTerm(term, labels, measures);
    if (!test) unknown.push(term);
    return test ?? (() => true);
  });
  return { test: (each) => tests.every((test) => test(each)), id: null, unknown, problem: "" };
}

/** The id of an instance; of the name of its image a part is enough where no other has it. */
function parseId(part: string, number: string, images: string[]): Filter {
  const like = images.filter((name) => name.toLowerCase().includes(part.toLowerCase()));
  const named = images.includes(part) ? [part] : like;
  const none: Filter = { test: () => true, id: null, unknown: [], problem: "" };
  if (part && !named.length) return { ...none, problem: `No image here is called ${part}.` };
  if (part && named.length > 1) {
    const more = named.length > SHOWN ? ` and ${named.length - SHOWN} more` : "";
    return { ...none, problem: `${named.length} images are called so: ${named.slice(0, SHOWN).join(", ")}${more}.` };
  }
  if (!number) return { ...none, problem: "The number is missing: #17, for example." };
  return { ...none, test: (each) => each.number === Number(number), id: { image: part ? named[0]! : null, number: Number(number) } };
}

function parseTerm(term: string, labels: Record<string, string>, measures: Set<string>): Test | null {
  if (/^#\d+$/.test(term)) return (each) => each.number === Number(term.slice(1));
  const [, name, sign, right] = COMPARISON.exec(term) ?? [];
  if (name === undefined) {
    const words = [...Object.values(labels), ...STATES];
    return words.some((word) => word.startsWith(term)) ? (each) => states(each, labels).some((word) => word.startsWith(term)) : null;
  }
  const column = named(name, measures);
  if (column === null || !NUMBER.test(right!)) return null;
  return (each) => {
    const left = value(each, column === alias(name) ? column : inMicrons(column, each));
    return typeof left === "number" && holds(left, sign!, Number(right));
  };
}

function states(each: Instance, labels: Record<string, string>): string[] {
  return [labels[each.label] ?? "", each.accepted ? "accepted" : "open", each.edited ? "edited" : ""];
}

/** The column of this name, or the first whose name starts so. */
function named(name: string, measures: Set<string>): string | null {
  const wanted = alias(name);
  const known = ["score", "number", ...measures];
  return known.find((column) => column === wanted) ?? known.find((column) => column.startsWith(wanted)) ?? null;
}

function holds(value: number, sign: string, number: number): boolean {
  switch (sign) {
    case "<":
      return value < number;
    case ">":
      return value > number;
    case "<=":
      return value <= number;
    case ">=":
      return value >= number;
    default:
      return value === number;
  }
}
