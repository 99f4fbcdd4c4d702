// What the server tells and takes. The shapes are those of src/irnet/server/app.py and schema.py.

export type Id = number | string;
export type Label = 1 | 2;
export const CELL: Label = 1;
export const NUCLEUS: Label = 2;
export type Ring = number[]; // x, y, x, y in image px

export type Origin = "drawn" | "assisted" | "predicted";

export type Measures = Record<string, number | string | null>;

export interface Instance {
  id: Id;
  number: number; // in its image, the same in every output
  label: Label;
  score: number;
  cell: Id | null;
  rings: Ring[] | null; // null: not made yet
  box: [number, number, number, number];
  colour: string | null; // of a cell; a nucleus has that of its cell
  accepted: boolean;
  edited: boolean;
  origin: Origin | null; // null: the file does not say
  measures: Measures | null; // null: not made yet
}

export interface Summary {
  index: number;
  name: string;
  width: number;
  height: number;
  levels: number;
  mpp: number | null;
  patient: string | null;
  finished: boolean;
  doubtful: number; // instances that nobody accepted whose scores are near the threshold
  revision: number;
  undo: number;
  redo: number;
}

export interface Session {
  name: string;
  version: string;
  source: string;
  labels: Record<string, string>;
  scores: Record<string, number>;
  formats: string[];
  measures: string[]; // names of columns
  tile: number;
  assisted: boolean; // a network draws where one points
  origin: Origin | null; // of what says none itself
  images: Summary[];
}

export interface Told extends Summary {
  changed: Instance[];
  gone: Id[];
  touched: Id[];
  missing: Missing;
}

/** How many instances wait for what is not made yet. */
export interface Missing {
  outlines: number;
  measures: number;
}

export interface Portion {
  rings: [Id, Ring[]][];
  measures: [Id, Measures][];
  missing: Missing;
}

export type Edit =
  | { op: "add"; label: Label; rings: Ring[]; cell?: Id; origin?: Origin }
  | { op: "reshape"; id: Id; how: "replace" | "extend" | "cut"; rings: Ring[] }
  | { op: "delete"; ids: Id[] }
  | { op: "relabel"; ids: Id[]; label: Label }
  | { op: "pair"; id: Id; cell: Id | null }
  | { op: "accept"; ids: Id[]; accepted: boolean }
  | { op: "finish"; ids: Id[]; finished: boolean };

/** Where the network is asked; neither point nor box: it gets ready. */
export interface Prompt {
  label: Label;
  point?: [number, number];
  box?: [number, number, number, number];
}

export interface Found {
  rings: Ring[];
  score: number;
}

export interface ExportRequest {
  format: string;
  finished_only: boolean;
  scores: Record<string, number>;
}

export class Refused extends Error {
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}

export const session = (): Promise<Session> => ask("api/session");

export const image = (index: number): Promise<Summary & { instances: Instance[]; missing: Missing }> => ask(`api/images/${index}`);

/** A portion of what is missing. */
export const work = (index: number): Promise<Portion> => ask(`api/images/${index}/work`, {});

export const edit = (index: number, revision: number, change: Edit): Promise<Told> =>
  ask(`api/images/${index}/edits`, { revision, edit: change });

/** What the network holds there, best first. */
export const prompt = (index: number, asked: Prompt): Promise<{ found: Found[] }> => ask(`api/images/${index}/prompt`, asked);

export const step = (index: number, revision: number, way: "undo" | "redo"): Promise<Told> =>
  ask(`api/images/${index}/${way}`, { revision });

export const write = (request: ExportRequest): Promise<{ path: string; images: number; notes: string[] }> => ask("api/export", request);

export const tileUrl = (index: number, halvings: number, x: number, y: number, source: string): string =>
  `api/images/${index}/tiles/${halvings}/${x}/${y}?v=${source}`;

export async function ask<T>(url: string, body?: unknown): Promise<T> {
  const options = body === undefined ? {} : { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  let answer: Response;
  try {
    answer = await fetch(url, options);
  } catch {
    throw new Refused("The server does not answer: is irnet view still running? Nothing was changed.", 0);
  }
  if (!answer.ok) throw new Refused(await reason(answer), answer.status);
  return (await answer.json()) as T;
}

async function reason(answer: Response): Promise<string> {
  const text = await answer.text();
  try {
    const { detail } = JSON.parse(text) as { detail: unknown };
    return typeof detail === "string" ? detail : JSON.stringify(detail);
  } catch {
    return text || `refused (${answer.status})`;
  }
}
