// The picture: OpenSeadragon for tiles, pan and zoom; where the pointer is; which cells lie under it.

import OpenSeadragon from "openseadragon";

import type { Instance } from "./api";
import type { Teller } from "./events";
import { boxArea, holds, type Point } from "./geometry";
import { Layer, type Drawn, type Frame } from "./layer";

const NEAR = 6; // px on the screen: clicks this close count as on one place
const CLOSE = 0.35; // of the stage: how large a cell gets when it is gone to

/** What is looked at: a picture of tiles, and what is drawn over it. */
export interface Looked extends Drawn, Teller {
  readonly current: { width: number; height: number; levels: number };
  readonly session: { tile: number };
  tileUrl(halvings: number, x: number, y: number, version?: string): string;
  select(id: Instance["id"] | null): void;
  hover(id: Instance["id"] | null): void;
}

export interface Pointer {
  image: Point; // image px
  screen: Point; // px of the stage
  event: PointerEvent;
}

/** What a tool does with the pointer. It gets it before the picture is moved. */
export interface Handler {
  press?(at: Pointer): void;
  drag?(at: Pointer): void;
  release?(at: Pointer): void;
  click?(at: Pointer): void;
  move?(at: Pointer): void;
}

export class Stage {
  readonly layer: Layer;
  readonly viewer: OpenSeadragon.Viewer;
  handler: Handler | null = null;
  onPointer: (at: Pointer | null) => void = () => {};

  private lastClick: { at: Point; stack: string; place: number } = { at: { x: -99, y: -99 }, stack: "", place: 0 };
  pictured = true; // the first part of the picture is there
  private asked: "all" | "top" | null = null; // for the next frame

  constructor(
    private readonly state: Looked,
    private readonly element: HTMLElement,
  ) {
    this.layer = new Layer(state);
    this.viewer = OpenSeadragon({
      element,
      drawer: "canvas",
      showNavigationControl: false,
      keyboardNavEnabled: false,
      gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: false },
      gestureSettingsTouch: { clickToZoom: false, dblClickToZoom: false },
      animationTime: 0.25,
      springStiffness: 10,
      visibilityRatio: 0.4,
      maxZoomPixelRatio: 16,
      minZoomImageRatio: 0.6,
      zoomPerScroll: 1.25,
      immediateRender: true,
      imageLoaderLimit: 6,
    });
    this.viewer.canvas.append(...this.layer.canvases);
    this.viewer.addHandler("update-viewport", () => this.follow());
    this.viewer.addHandler("open", () => this.redraw());
    this.viewer.addHandler("resize", () => this.redraw());
    this.viewer.addHandler("tile-load-failed", () => void this.explain());
    this.listen();
    state.on(["image"], () => this.open());
    this.viewer.addHandler("tile-loaded", () => this.showsPicture(true));
    state.on(["instances", "outlines"], () => this.redraw());
    state.on(["selection", "hover", "tool"], () => this.redraw(true));
    state.on(["view"], () => this.reveal());
  }

  /** Draw the outlines with the next frame; `top`: only what is chosen, pointed at and drawn. */
  redraw(top = false): void {
    const waits = this.asked !== null;
    this.asked = top && this.asked !== "all" ? "top" : "all";
    if (waits) return;
    requestAnimationFrame(() => {
      const what = this.asked;
      this.asked = null;
      if (!this.viewer.world.getItemCount()) return;
      if (what === "top") this.layer.drawTop();
      else this.layer.draw(this.frame());
    });
  }

  /** Draw the outlines where the picture was moved to; a tile that came moves nothing. */
  private follow(): void {
    const [frame, drawn] = [this.frame(), this.layer.frame];
    if ((Object.keys(frame) as (keyof Frame)[]).some((key) => frame[key] !== drawn[key])) this.layer.draw(frame);
  }

  fit(): void {
    this.viewer.viewport.goHome();
  }

  zoom(factor: number): void {
    this.viewer.viewport.zoomBy(factor).applyConstraints();
  }

  pan(x: number, y: number): void {
    const { width } = this.viewer.viewport.getBounds();
    this.viewer.viewport.panBy(new OpenSeadragon.Point(x * width, y * width)).applyConstraints();
  }

  /** Bring the chosen cell, or a box, into sight; `closer` also makes it large. */
  reveal(closer = false, box = this.state.chosen?.box): void {
    if (!box) return;
    const [x1, y1, x2, y2] = box;
    const { scale, x, y, width, height } = this.frame();
    const outside = x1 * scale + x < 0 || y1 * scale + y < 0 || x2 * scale + x > width || y2 * scale + y > height;
    if (!closer && !outside) return;
    const { viewport } = this.viewer;
    viewport.panTo(viewport.imageToViewportCoordinates((x1 + x2) / 2, (y1 + y2) / 2));
    const wanted = (CLOSE * Math.min(width, height)) / Math.max(x2 - x1, y2 - y1);
    if (closer || (x2 - x1) * scale > width || (y2 - y1) * scale > height) viewport.zoomTo(viewport.imageToViewportZoom(wanted));
    viewport.applyConstraints();
  }

  /** Visible instances under a point, the smallest first. */
  stack(at: Point): Instance[] {
    if (this.state.hidden) return [];
    return this.state.rows.filter((each) => holds(each, at)).sort((a, b) => boxArea(a) - boxArea(b));
  }

  frame(): Frame {
    const { viewport } = this.viewer;
    const corner = viewport.imageToViewerElementCoordinates(new OpenSeadragon.Point(0, 0));
    const right = viewport.imageToViewerElementCoordinates(new OpenSeadragon.Point(1000, 0));
    const { clientWidth, clientHeight } = this.element;
    return { scale: (right.x - corner.x) / 1000, x: corner.x, y: corner.y, width: clientWidth, height: clientHeight };
  }

  private showsPicture(pictured: boolean): void {
    if (this.pictured === pictured) return;
    this.pictured = pictured;
    this.state.tell("loading");
  }

  /** Say why there is no picture. */
  private async explain(): Promise<void> {
    this.showsPicture(true);
    const answer = await fetch(this.state.tileUrl(this.state.current.levels, 0, 0, "why"));
    if (!answer.ok) this.state.say(((await answer.json()) as { detail: string }).detail, true);
  }

  private open(): void {
    const { width, height, levels } = this.state.current;
    const { tile } = this.state.session;
    this.layer.clear();
    this.showsPicture(false);
    const source = {
      width,
      height,
      tileSize: tile,
      minLevel: 0,
      maxLevel: levels,
      getTileUrl: (level: number, x: number, y: number) => this.state.tileUrl(levels - level, x, y),
    };
    this.viewer.open(source as unknown as OpenSeadragon.TileSourceSpecifier); // the types know no plain object
  }

  /** Pointer events go to the tool in use; without one a click selects. */
  private listen(): void {
    const at = (event: OpenSeadragon.CanvasPressEvent | OpenSeadragon.CanvasDragEvent): Pointer =>
      this.pointer(event.position, event.originalEvent as PointerEvent);
    this.viewer.addHandler("canvas-press", (event) => this.handler?.press?.(at(event)));
    this.viewer.addHandler("canvas-drag", (event) => {
      if (!this.handler?.drag || (event.originalEvent as PointerEvent).shiftKey) return;
      event.preventDefaultAction = true;
      this.handler.drag(at(event));
    });
    this.viewer.addHandler("canvas-release", (event) => this.handler?.release?.(at(event)));
    this.viewer.addHandler("canvas-click", (event) => {
      event.preventDefaultAction = true;
      if (!event.quick) return;
      const pointer = this.pointer(event.position, event.originalEvent as PointerEvent);
      if (this.handler?.click) this.handler.click(pointer);
      else this.pick(pointer);
    });
    this.element.addEventListener("pointermove", (event) => this.hover(event));
    this.element.addEventListener("pointerleave", () => {
      this.state.hover(null);
      this.onPointer(null);
    });
  }

  private hover(event: PointerEvent): void {
    if (!this.viewer.world.getItemCount()) return;
    const { left, top } = this.element.getBoundingClientRect();
    const pointer = this.pointer(new OpenSeadragon.Point(event.clientX - left, event.clientY - top), event);
    this.handler?.move?.(pointer);
    if (!event.buttons) this.state.hover(this.stack(pointer.image)[0]?.id ?? null);
    this.onPointer(pointer);
  }

  /** Select what lies under the pointer; clicks on the same place go through the stack. */
  private pick({ image, screen }: Pointer): void {
    const stack = this.stack(image);
    const ids = stack.map((each) => String(each.id)).join();
    const again = Math.hypot(screen.x - this.lastClick.at.x, screen.y - this.lastClick.at.y) <= NEAR && ids === this.lastClick.stack;
    const place = again ? (this.lastClick.place + 1) % stack.length : 0;
    this.lastClick = { at: screen, stack: ids, place };
    this.state.select(stack[place]?.id ?? null);
    if (stack.length > 1) this.state.say(`${place + 1} of ${stack.length} here: click again for the next`);
  }

  private pointer(position: OpenSeadragon.Point, event: PointerEvent): Pointer {
    const image = this.viewer.viewport.viewerElementToImageCoordinates(position);
    return { image: { x: image.x, y: image.y }, screen: { x: position.x, y: position.y }, event };
  }
}
