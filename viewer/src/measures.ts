// Names of measures, one for each wherever it stands; docs/reference/measurements.md has their formulas.

import type { Instance } from "./api";
import { title } from "./dom";

const RATIOS: Record<string, string> = {
  nc_ratio: "N:C ratio",
  nucleus_cell_ratio: "nucleus/cell area",
};
export const FORMULAS: Record<string, string> = {
  nc_ratio: "area of the nuclei / area of the cell without them",
  nucleus_cell_ratio: "area of the nuclei / area of the whole cell",
};
const ALIASES: Record<string, string> = { id: "number", "n:c": "nc_ratio", um2: "area_um2", px2: "area_px", "px²": "area_px" };

/** A measure as people read it. */
export function nameOf(column: string): string {
  return RATIOS[column] ?? title(column);
}

/** The column that a name on the page stands for. */
export function alias(name: string): string {
  const plain = name.replace("µ", "u").replace("um²", "um2");
  return ALIASES[plain] ?? plain;
}

/** The column in µm that is shown in place of one in px, where it is known. */
export function inMicrons(column: string, { measures }: Instance): string {
  const stem = column.replace(/_px$/, "");
  if (stem === column) return column;
  return [`${stem}_um2`, `${stem}_um`].find((known) => measures?.[known] != null) ?? column;
}

/** What a column of the table holds. */
export function value(each: Instance, column: string): number | string | null {
  switch (column) {
    case "number":
      return each.number;
    case "label":
      return each.label;
    case "score":
      return each.score;
    case "accepted":
      return Number(each.accepted);
    default:
      return each.measures?.[column] ?? null;
  }
}
