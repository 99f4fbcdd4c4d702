// What the server tells of slides. The shapes are those of src/irnet/server/slide_app.py.

import { ask, type Id, type Instance, type Label, type Measures, type Ring } from "./api";
import type { Box } from "./geometry";

export interface Slide {
  index: number;
  name: string;
  width: number; // px of the finest level, as all places here
  height: number;
  levels: number;
  mpp: number;
  side: number; // px of the squares that are counted
  cells: number;
  nuclei: number;
  notes: string[];
}

export interface Session {
  name: string;
  version: string;
  labels: Record<string, string>;
  tile: number;
  sorts: Record<Label, string[]>; // measures that the table sorts by
  slides: Slide[];
}

/** Column and row of a square, cells and nuclei whose middles lie in it. */
export type Count = [number, number, number, number];

interface Found {
  id: Id;
  label: Label;
  score: number;
  cell: Id | null;
  box: Box;
  colour: string | null;
  rings: Ring[] | null;
  measures: Measures | null;
}

export interface Listing {
  label: Label;
  sort: string;
  falling: boolean;
  offset: number;
}

export const session = (): Promise<Session> => ask("api/session");

export const counts = (index: number): Promise<{ counts: Count[] }> => ask(`api/slides/${index}/counts`);

/** What lies in a box; null where that is too much to be drawn. */
export async function cells(index: number, box: Box): Promise<Instance[] | null> {
  const { cells: found } = await ask<{ cells: Found[] | null }>(`api/slides/${index}/cells?box=${box.map(Math.round).join()}`);
  return found?.map(asInstance) ?? null;
}

/** An instance, its cell or its nuclei, with outlines and measures. */
export async function family(index: number, id: Id): Promise<Instance[]> {
  const { cells: found } = await ask<{ cells: Found[] }>(`api/slides/${index}/cells/${id}`);
  return found.map(asInstance);
}

/** A page of the table, and how many rows it has on all. */
export async function rows(index: number, { label, sort, falling, offset }: Listing): Promise<{ listed: Instance[]; total: number }> {
  const { cells: found, total } = await ask<{ cells: Found[]; total: number }>(`api/slides/${index}/rows?label=${label}&sort=${sort}&falling=${falling}&offset=${offset}`);
  return { listed: found.map(asInstance), total };
}

export const tileUrl = (index: number, halvings: number, x: number, y: number): string => `api/slides/${index}/tiles/${halvings}/${x}/${y}`;

function asInstance(found: Found): Instance {
  return { ...found, number: Number(found.id), accepted: false, edited: false, origin: null };
}
