"use strict";

// Tables: a click on a head sorts by its column, another the other way round, a third restores the order of the study.
const NEXT = { none: "ascending", ascending: "descending", descending: "none" };

function key(cell) {
  const text = cell.dataset.value ?? cell.textContent.trim();
  return text === "" || text === "nan" ? null : text;
}

function order(column, rows) {
  const keys = rows.map((row) => key(row.cells[column]));
  const numeric = keys.every((k) => k === null || !Number.isNaN(Number(k)));
  return (a, b) => (numeric ? Number(a) - Number(b) : a.localeCompare(b, "en", { numeric: true }));
}

function sort(head) {
  const table = head.closest("table"), body = table.tBodies[0], column = head.cellIndex;
  const direction = NEXT[head.getAttribute("aria-sort")];
  for (const other of table.tHead.rows[0].cells) other.setAttribute("aria-sort", "none");
  head.setAttribute("aria-sort", direction);
  const rows = [...body.rows].sort((a, b) => a.dataset.place - b.dataset.place);
  if (direction !== "none") {
    const compare = order(column, rows), sign = direction === "ascending" ? 1 : -1;
    rows.sort((a, b) => {
      const [x, y] = [key(a.cells[column]), key(b.cells[column])];
      if (x === null || y === null) return (x === null) - (y === null); // what is not there comes last either way
      return sign * compare(x, y);
    });
  }
  body.append(...rows);
}

for (const table of document.querySelectorAll("table")) {
  [...table.tBodies[0].rows].forEach((row, place) => (row.dataset.place = place));
  for (const head of table.tHead.rows[0].cells) head.firstElementChild.addEventListener("click", () => sort(head));
}

// Pictures: enlarged by whole pixels, so that none is smoothed; what is drawn in lines fills the window.
const dialog = document.querySelector("dialog");

function enlarge(picture) {
  const shown = picture.cloneNode();
  const room = Math.min(innerWidth / picture.naturalWidth, innerHeight / picture.naturalHeight);
  const factor = picture.classList.contains("drawn") ? room : Math.max(1, Math.floor(room));
  shown.style.width = `${factor * picture.naturalWidth}px`;
  dialog.replaceChildren(shown);
  dialog.showModal();
}

for (const button of document.querySelectorAll("figure button"))
  button.addEventListener("click", () => enlarge(button.firstElementChild));
dialog.addEventListener("click", () => dialog.close());

// The list of studies marks the section that is read.
const list = document.querySelector("nav");
const links = new Map([...list.querySelectorAll("a")].map((link) => [link.hash.slice(1), link]));
const watcher = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    const link = links.get(target.id);
    if (!isIntersecting || !link) continue;
    for (const other of links.values()) other.removeAttribute("aria-current");
    link.setAttribute("aria-current", "true");
    list.scrollTo(link.offsetLeft - list.clientWidth / 2, link.offsetTop - list.clientHeight / 2);
  }
}, { rootMargin: "-20% 0px -70% 0px" });
for (const part of document.querySelectorAll("#start, section")) watcher.observe(part);
