// Elements made in code. Text is always text: nothing from a file is ever parsed as HTML.

type Child = Node | string;

export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, string | boolean> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

/** A key of the measurements as people read it: area_px -> area px. */
export function title(column: string): string {
  return column.replaceAll("_", " ").replace("um2", "µm²").replace(/\bum\b/, "µm");
}

const COUNTED = /^(nuclei|neighbours|number|label|accepted|touches_border|area_px|colour_px|box_..)$/; // whole numbers, by their nature

/** A value of a column: those of one column have one form, so 1 among shares is 1.000. */
export function digits(value: number | string | null | undefined, column: string): string {
  if (value === null || value === undefined) return "–";
  if (typeof value === "string") return value;
  if (COUNTED.test(column)) return String(value);
  return Math.abs(value) >= 100 ? value.toFixed(0) : Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(3);
}
