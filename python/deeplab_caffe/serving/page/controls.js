"use strict";
// The controls beside the picture: classes, opacity, and the CRF's parameters.

/** The CRF's parameters: name, title, and the slider's range; a number beyond it may be typed. */
const PARAMETERS = [
  ["w1", "weight of the term over position and colour", 0, 20, 0.5],
  ["sigma_alpha", "its standard deviation in pixels", 1, 160, 1],
  ["sigma_beta", "its standard deviation in colour levels, 0 to 255", 1, 50, 0.5],
  ["w2", "weight of the term over position alone", 0, 20, 0.5],
  ["sigma_gamma", "its standard deviation in pixels", 0.5, 20, 0.5],
  ["iterations", "of mean field", 0, 20, 1],
];
const FOUND = "found by the experiment's search";

/** What the server says of the model: presets, command and so on. */
let about = { presets: {}, found: false };
/** The parameters as they are set, under the names that `deeplab crf --parameters` and `deeplab predict --crf` read. */
let parameters = {};

const slider = (name) => byId(`${name}-slider`), field = (name) => byId(`${name}-value`);

function makeSliders() {
  for (const [name, title, low, high, step] of PARAMETERS) {
    const row = document.createElement("div"), label = document.createElement("label");
    const range = document.createElement("input"), number = document.createElement("input");
    row.className = "row";
    row.title = title;
    Object.assign(label, { htmlFor: `${name}-slider`, textContent: name });
    Object.assign(range, { type: "range", id: `${name}-slider`, min: low, max: high, step });
    Object.assign(number, { type: "number", id: `${name}-value`, min: name.startsWith("sigma") ? 0.01 : 0, step: "any" });
    if (name === "iterations") Object.assign(number, { step: 1, max: 100 });
    range.setAttribute("aria-label", `${name}, ${title}`);
    number.setAttribute("aria-label", `${name}, ${title}, as a number`);
    range.addEventListener("input", () => { number.value = range.value; set(name, range.value); });
    number.addEventListener("input", () => {
      if (number.value === "" || !number.checkValidity()) return;  // not yet a number that can be used
      range.value = number.value;
      set(name, number.value);
    });
    number.addEventListener("change", () => { number.value = parameters[name]; });
    row.append(label, range, number);
    byId("sliders").append(row);
  }
}

function makePresets() {
  byId("preset").replaceChildren(...[...Object.keys(about.presets), "own"].map((name) => {
    const option = document.createElement("option");
    Object.assign(option, { value: name, textContent: name === FOUND ? "experiment" : name });
    if (name === "own") Object.assign(option, { textContent: "own values", disabled: true });
    return option;
  }));
}

function usePreset(name) {
  parameters = { ...about.presets[name] };
  for (const [parameter] of PARAMETERS) {
    slider(parameter).value = parameters[parameter];
    field(parameter).value = parameters[parameter];
  }
  byId("preset").value = name;
}

/** A value was moved or typed: all may be those of a preset. */
function set(name, value) {
  parameters[name] = Number(value);
  const same = Object.entries(about.presets).find(([, values]) => Object.keys(values).every((key) => values[key] === parameters[key]));
  byId("preset").value = same ? same[0] : "own";
  refine();
}

const firstPreset = () => (about.found ? FOUND : "default");

// -- classes

const percent = (share) => (share < 0.0005 ? "< 0.1 %" : `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`);

function showLegend() {
  const counts = new Float64Array(256);
  for (const label of shown.labels) counts[label] += 1;
  const present = [...counts.keys()].filter((label) => counts[label]).sort((a, b) => counts[b] - counts[a]);
  const rows = present.map((label) => legendRow(label, counts[label] / shown.labels.length));
  const focused = document.activeElement && document.activeElement.dataset.label;
  byId("legend").replaceChildren(...rows);
  if (focused) byId("legend").querySelector(`[data-label="${focused}"]`)?.focus();
  byId("show-all").hidden = !present.some((label) => shown.hidden.has(label));
}

function legendRow(label, share) {
  const item = document.createElement("li"), row = document.createElement("label"), box = document.createElement("input");
  const chip = document.createElement("canvas"), name = document.createElement("span"), part = document.createElement("span");
  Object.assign(box, { type: "checkbox", checked: !shown.hidden.has(label) });
  box.dataset.label = label;
  box.addEventListener("change", () => {
    if (box.checked) shown.hidden.delete(label);
    else shown.hidden.add(label);
    showLegend();
    drawOverlay();
  });
  Object.assign(chip, { width: 1, height: 1 });
  const pen = chip.getContext("2d");
  pen.fillStyle = `rgb(${shown.colours[label].join(",")})`;
  pen.fillRect(0, 0, 1, 1);
  chip.setAttribute("aria-hidden", "true");
  Object.assign(name, { className: "name", textContent: shown.classes[label] });
  Object.assign(part, { className: "share", textContent: percent(share) });
  row.className = box.checked ? "" : "off";
  row.append(box, chip, name, part);
  item.append(row);
  return item;
}

byId("show-all").addEventListener("click", () => {
  shown.hidden.clear();
  showLegend();
  drawOverlay();
});

// -- the overlay's look

for (const id of ["opacity", "outline"]) {
  byId(id).addEventListener("input", () => {
    byId("opacity-value").value = Number(byId("opacity").value).toFixed(2);
    drawOverlay();
    showCommand();
  });
}

// -- the CRF

byId("crf").addEventListener("input", () => {
  byId("parameters").disabled = !byId("crf").checked;
  refine();
});
byId("preset").addEventListener("input", () => { usePreset(byId("preset").value); refine(); });
byId("reset").addEventListener("click", () => { usePreset(firstPreset()); refine(); });
