// Bundles the viewer into src/irnet/server/static, with the licence of what is bundled.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { copyFile, readFile, readdir, writeFile } from "node:fs/promises";

const out = "../src/irnet/server/static";
await build({
  entryPoints: ["src/main.ts", "src/style.css"],
  entryNames: "[name]",
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  legalComments: "none",
  outdir: out,
});
await copyFile("src/index.html", `${out}/index.html`);
const { version } = JSON.parse(await readFile("node_modules/openseadragon/package.json", "utf8"));
const licence = await readFile("node_modules/openseadragon/LICENSE.txt", "utf8");
await writeFile(`${out}/LICENSES.txt`, `main.js contains OpenSeadragon ${version}:\n\n${licence}`);

// What it was built from: tests/server/test_static.py compares.
const sources = (await readdir("src")).sort().map((name) => `src/${name}`);
const hash = createHash("sha256");
for (const name of ["build.mjs", "package-lock.json", ...sources]) hash.update(await readFile(name));
await writeFile(`${out}/built-from.txt`, `${hash.digest("hex")}\n`);
