// Bundles the viewer into src/irnet/server/static, with the licence of what is bundled.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { copyFile, readFile, readdir, writeFile } from "node:fs/promises";

const out = "../src/irnet/server/static";
await build({
  entryPoints: ["src/main.ts", "src/slide.ts", "src/style.css"],
  entryNames: "[name]",
  chunkNames: "shared",
  bundle: true,
  splitting: true,
  minify: true,
  format: "esm",
  target: "es2022",
  legalComments: "none",
  outdir: out,
});
for (const page of ["index.html", "slide.html"]) await copyFile(`src/${page}`, `${out}/${page}`);
const { version } = JSON.parse(await readFile("node_modules/openseadragon/package.json", "utf8"));
const licence = await readFile("node_modules/openseadragon/LICENSE.txt", "utf8");
await writeFile(`${out}/LICENSES.txt`, `shared.js contains OpenSeadragon ${version}:\n\n${licence}`);

// What it was built from, and what came of it: tests/server/test_static.py compares both.
async function digest(names) {
  const hash = createHash("sha256");
  for (const name of names) hash.update(await readFile(name));
  return hash.digest("hex");
}
const sources = (await readdir("src")).sort().map((name) => `src/${name}`);
const built = ["LICENSES.txt", "index.html", "main.js", "shared.js", "slide.html", "slide.js", "style.css"].map((name) => `${out}/${name}`);
const lines = [
  `${await digest(["build.mjs", "package-lock.json", ...sources])}  sources`,
  `${await digest(built)}  built`,
];
await writeFile(`${out}/built-from.txt`, `${lines.join("\n")}\n`);
