// The filter above the table: words, and comparisons such as score<0.6 or nuclei=0, all of which must hold.

import type { Instance } from "./api";

export type Test = (each: Instance) => boolean;

const COMPARISON = /^([a-z_0-9]+)(<=|>=|<|>|=)(-?[\d.]+)$/i;

export function parseFilter(text: string, labels: Record<string, string>): Test {
  const tests = text.trim().toLowerCase().split(/\s+/).filter(Boolean).map((term) => parseTerm(term, labels));
  return (each) => tests.every((test) => test(each));
}

function parseTerm(term: string, labels: Record<string, string>): Test {
  const match = COMPARISON.exec(term);
  if (!match) return (each) => term === String(each.id).toLowerCase() || states(each, labels).some((word) => word.startsWith(term));
  const [, name, sign, number] = match;
  return (each) => {
    const value = named(each, name!);
    return typeof value === "number" && holds(value, sign!, Number(number));
  };
}

function states(each: Instance, labels: Record<string, string>): string[] {
  return [labels[each.label] ?? "", each.accepted ? "accepted" : "open", each.edited ? "edited" : ""];
}

/** The measure of this name, or the first whose name starts so. */
function named(each: Instance, name: string): unknown {
  if (name === "score" || name === "id") return each[name];
  const key = Object.keys(each.measures).find((known) => known === name || known.startsWith(name));
  return key === undefined ? null : each.measures[key];
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
