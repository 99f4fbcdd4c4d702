"use strict";
// Tables sort by the heading clicked, galleries by a measure; pictures open large, arrow keys go to the next.

function sortBy(heading) {
  const table = heading.closest("table"), body = table.tBodies[0];
  const column = heading.cellIndex, falling = heading.getAttribute("aria-sort") === "ascending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", falling ? "descending" : "ascending");
  const key = (row) => row.cells[column].dataset.value;
  const compare = (a, b) => {
    const [x, y] = [key(a), key(b)];
    if (x !== undefined && y !== undefined) return Number(x) - Number(y);
    return a.cells[column].textContent.localeCompare(b.cells[column].textContent, undefined, { numeric: true });
  };
  const known = (row) => key(row) !== undefined || !row.cells[column].classList.contains("number");
  const rows = [...body.rows];
  const sorted = rows.filter(known).sort((a, b) => (falling ? compare(b, a) : compare(a, b)));
  body.append(...sorted, ...rows.filter((row) => !known(row)));
}

for (const button of document.querySelectorAll(".sortable th button")) {
  button.addEventListener("click", () => sortBy(button.closest("th")));
}

function sortGallery(form) {
  const gallery = form.nextElementSibling, { by, falling, label } = form.elements;
  const value = (item) => Number(item.dataset[by.value]);
  const known = [...gallery.children].filter((item) => by.value in item.dataset);
  known.sort((a, b) => (falling.value ? value(b) - value(a) : value(a) - value(b)));
  gallery.prepend(...known);
  for (const item of gallery.children) {
    item.hidden = !known.includes(item) || (label.value !== "" && item.dataset.label !== label.value);
    item.querySelector("strong").textContent = item.dataset[by.value] ?? "";
  }
}

for (const form of document.querySelectorAll(".sorting")) {
  form.addEventListener("change", () => sortGallery(form));
  form.addEventListener("submit", (event) => event.preventDefault());
  sortGallery(form);
}

const dialog = document.getElementById("enlarged");
const all = [...document.querySelectorAll(".picture img")];
let pictures = all, shown = 0;

function show(index) {
  shown = (index + pictures.length) % pictures.length;
  const large = dialog.querySelector("img");
  large.src = pictures[shown].src;
  large.alt = dialog.querySelector("p").textContent = pictures[shown].alt;
}

all.forEach((picture) => picture.parentElement.addEventListener("click", () => {
  pictures = [...document.querySelectorAll(".picture img")].filter((one) => !one.closest("[hidden]"));
  show(pictures.indexOf(picture));
  dialog.showModal();
}));
dialog.addEventListener("click", (event) => { if (event.target.tagName !== "BUTTON") dialog.close(); });
dialog.addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (step) show(shown + step);
});
