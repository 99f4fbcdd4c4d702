// The viewer: ties the state to the picture, the table, the panels and the keys.

import * as api from "./api";
import { byId } from "./dom";
import { bindKeys } from "./keys";
import { showLoading } from "./loading";
import { listImages, prepareExport, showDetail, showFilters, showStatus } from "./panel";
import { Stage } from "./stage";
import { State, type Tool } from "./state";
import { Table } from "./table";
import { showTip } from "./tip";
import { Tools } from "./tools";

async function start(): Promise<void> {
  const state = new State(await api.session());
  document.title = `${state.session.name} – irnet view`;
  byId("set").textContent = state.session.name;
  const stage = new Stage(state, byId("stage"));
  const tools = new Tools(state, stage);
  new Table(state, byId("table")).onOpen = () => stage.reveal(true);
  listImages(state);
  showFilters(state);
  showDetail(state);
  showStatus(state, stage);
  showTip(state, stage);
  showLoading(state, stage);
  prepareExport(state);
  const keys = bindKeys(state, stage, tools);
  bindButtons(state, tools, keys);
  byId("help-close").addEventListener("click", () => byId<HTMLDialogElement>("help-dialog").close());
  Object.assign(window, { irnet: { state, stage } }); // for benchmarks and the console
  if (!state.session.images.length) {
    byId("loading").hidden = true;
    return state.say("There is no image in this set.");
  }
  await state.open(0).catch((error) => state.explain(error));
}

function bindButtons(state: State, tools: Tools, keys: Map<string, () => void>): void {
  for (const button of document.querySelectorAll<HTMLButtonElement>("button[data-tool]")) {
    const tool = button.dataset["tool"] as Tool;
    button.addEventListener("click", () => tools.take(tool));
    button.hidden = tool.startsWith("ask-") && !state.session.assisted;
    state.on(["tool"], () => button.classList.toggle("chosen", state.tool === tool));
  }
  for (const button of document.querySelectorAll<HTMLButtonElement>("button[data-key]")) {
    button.addEventListener("click", () => keys.get(button.dataset["key"]!)?.());
  }
  state.on(["instances"], () => {
    byId<HTMLButtonElement>("undo").disabled = !state.current.undo;
    byId<HTMLButtonElement>("redo").disabled = !state.current.redo;
  });
}

start().catch((error: unknown) => {
  byId("loading").hidden = true;
  const line = byId("message");
  line.textContent = error instanceof Error ? error.message : String(error);
  line.classList.add("bad");
});
