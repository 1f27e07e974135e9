"use strict";

const { sides, begin, settings } = JSON.parse(document.getElementById("compared").textContent);
const at = (id) => document.getElementById(id);
const [left, right, setting, step, divider] = ["left", "right", "setting", "step", "divider"].map(at);
const stage = document.querySelector(".stage"), pairs = document.querySelector(".pairs");
const pictures = new Map(); // address: the decoded sheet
let chosen = 0, drawing = 0;

function decoded(sheet) {
  if (!pictures.has(sheet.picture)) {
    const picture = new Image();
    picture.src = sheet.picture;
    pictures.set(sheet.picture, picture.decode().then(() => picture));
  }
  return pictures.get(sheet.picture);
}

// A sheet has its images one below the other.
function paint(canvas, picture, sheet, image) {
  const { width, height } = sheet;
  Object.assign(canvas, { width, height });
  canvas.getContext("2d").drawImage(picture, 0, image * height, width, height, 0, 0, width, height);
  canvas.style.imageRendering = canvas.clientWidth >= width ? "pixelated" : "auto"; // smoothed only where it is made smaller
}

function sheets() {
  const steps = settings[setting.selectedIndex].steps[step.value];
  return [left, right].map((side) => steps[side.value]);
}

function pair(image) {
  const item = document.createElement("li"), button = document.createElement("button");
  button.type = "button";
  button.append(document.createElement("canvas"), document.createElement("canvas"));
  button.addEventListener("click", () => { chosen = image; draw(); });
  item.append(button);
  return item;
}

async function draw() {
  const turn = ++drawing, shown = sheets(), drawn = await Promise.all(shown.map(decoded));
  if (turn !== drawing) return; // something else was chosen meanwhile
  const count = Math.min(...shown.map((sheet) => sheet.count)), names = [left.value, right.value];
  chosen = Math.min(chosen, count - 1);
  while (pairs.children.length > count) pairs.lastElementChild.remove();
  while (pairs.children.length < count) pairs.append(pair(pairs.children.length));
  [...pairs.children].forEach((item, image) => {
    const button = item.firstElementChild;
    button.setAttribute("aria-pressed", image === chosen);
    button.setAttribute("aria-label", `Image ${image + 1}: ${names.join(" and ")}`);
    [...button.children].forEach((canvas, side) => paint(canvas, drawn[side], shown[side], image));
  });
  ["left", "right"].forEach((side, i) => {
    const canvas = stage.querySelector(`.${side}`);
    paint(canvas, drawn[i], shown[i], chosen);
    canvas.setAttribute("aria-label", `Image ${chosen + 1} of ${names[i]}`);
    document.querySelector(`.legend .${side}`).textContent = names[i];
  });
  at("which").textContent = `image ${chosen + 1} of ${count}`;
  const steps = settings[setting.selectedIndex].steps.length;
  const seen = [...new Set(shown.map((sheet) => sheet.seen.toLocaleString("en").replaceAll(",", "\u202f")))].join(" and ");
  at("seen").textContent = `${Number(step.value) + 1} of ${steps}, after ${seen} images`;
  document.body.dataset.drawn = [...names, setting.value, step.value].join(" ");
}

function divide() {
  stage.style.setProperty("--at", `${divider.value}%`);
}

// The last snapshot first: it is what the training ended with.
function restep() {
  const { steps } = settings[setting.selectedIndex];
  step.max = steps.length - 1;
  step.value = step.max;
  step.closest("label").hidden = steps.length === 1;
}

for (const side of [left, right]) side.append(...sides.map((name) => new Option(name)));
[left.value, right.value] = begin;
setting.append(...settings.map(({ name }) => new Option(name)));
setting.selectedIndex = settings.length - 1;
setting.closest("label").hidden = settings.length === 1;

for (const choice of [left, right]) choice.addEventListener("change", draw);
setting.addEventListener("change", () => { restep(); draw(); });
step.addEventListener("input", draw);
divider.addEventListener("input", divide);
at("swap").addEventListener("click", () => {
  [left.value, right.value] = [right.value, left.value];
  draw();
});
for (const mode of document.querySelectorAll("[name=mode]"))
  mode.addEventListener("change", () => { stage.dataset.mode = mode.value; draw(); });
// Arrow keys move the snapshots from wherever they mean nothing else.
document.addEventListener("keydown", (event) => {
  const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!move || event.target.closest("input, select")) return;
  const slider = step.max > 0 ? step : divider;
  slider.value = Number(slider.value) + move * (slider === divider ? 2 : 1);
  slider.dispatchEvent(new Event("input"));
});
addEventListener("resize", draw);

restep();
divide();
draw();
