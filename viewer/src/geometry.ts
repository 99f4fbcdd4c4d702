// Rings in image pixels: is a point inside, fewer vertices for smaller scales, areas.

import type { Instance, Ring } from "./api";

export type Box = [number, number, number, number]; // x1, y1, x2, y2

export interface Point {
  x: number;
  y: number;
}

/** Is the point in an odd number of the rings (holes are rings too)? */
export function inside(rings: Ring[], { x, y }: Point): boolean {
  let odd = false;
  for (const ring of rings) {
    for (let i = 0, j = ring.length - 2; i < ring.length; j = i, i += 2) {
      const [ay, by] = [ring[i + 1]!, ring[j + 1]!];
      if (ay > y !== by > y && x < ((ring[j]! - ring[i]!) * (y - ay)) / (by - ay) + ring[i]!) odd = !odd;
    }
  }
  return odd;
}

export function holds(instance: Instance, point: Point): boolean {
  const [x1, y1, x2, y2] = instance.box;
  return point.x >= x1 && point.x <= x2 && point.y >= y1 && point.y <= y2 && inside(instance.rings ?? [], point);
}

export function boxArea({ box: [x1, y1, x2, y2] }: Instance): number {
  return (x2 - x1) * (y2 - y1);
}

export function centre({ box: [x1, y1, x2, y2] }: Instance): Point {
  return { x: (x1 + x2) / 2, y: (y1 + y2) / 2 };
}

/** The box around two. */
export function union(a: Box, b: Box): Box {
  return [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[2], b[2]), Math.max(a[3], b[3])];
}

/** The open ring without vertices within `tolerance` of the rest (Douglas and Peucker). */
export function thin(ring: Ring, tolerance: number): Ring {
  const count = ring.length / 2;
  if (count < 8 || tolerance <= 0) return ring;
  const kept = new Uint8Array(count);
  let far = 0;
  for (let i = 1, most = -1; i < count; i++) {
    const distance = Math.hypot(ring[2 * i]! - ring[0]!, ring[2 * i + 1]! - ring[1]!);
    if (distance > most) [most, far] = [distance, i];
  }
  kept[0] = kept[far] = 1;
  return keep(ring, kept, tolerance, [
    [0, far],
    [far, count],
  ]);
}

/** The same of a line, whose ends stay. */
export function thinLine(line: Ring, tolerance: number): Ring {
  const count = line.length / 2;
  const kept = new Uint8Array(count);
  kept[0] = kept[count - 1] = 1;
  return keep(line, kept, tolerance, [[0, count - 1]]);
}

/** The vertices that are kept, and those between the pairs in `stack` that are needed besides. */
function keep(ring: Ring, kept: Uint8Array, tolerance: number, stack: [number, number][]): Ring {
  const count = kept.length;
  while (stack.length) {
    const [first, last] = stack.pop()!;
    const [worst, at] = farthest(ring, first, last % count, last);
    if (worst > tolerance) {
      kept[at] = 1;
      stack.push([first, at], [at, last]);
    }
  }
  const out: Ring = [];
  for (let i = 0; i < count; i++) if (kept[i]) out.push(ring[2 * i]!, ring[2 * i + 1]!);
  return out;
}

function farthest(ring: Ring, first: number, end: number, last: number): [number, number] {
  const [ax, ay] = [ring[2 * first]!, ring[2 * first + 1]!];
  const [dx, dy] = [ring[2 * end]! - ax, ring[2 * end + 1]! - ay];
  const length = Math.hypot(dx, dy) || 1;
  let [worst, at] = [-1, first];
  for (let i = first + 1; i < last; i++) {
    const distance = Math.abs(dx * (ring[2 * i + 1]! - ay) - dy * (ring[2 * i]! - ax)) / length;
    if (distance > worst) [worst, at] = [distance, i];
  }
  return [worst, at];
}
