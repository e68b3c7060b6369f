"use strict";
// Tests read what went wrong from the page itself.
window.addEventListener("error", (event) => { document.documentElement.dataset.error = event.message; });

const data = JSON.parse(document.getElementById("data").textContent);
const svg = document.getElementById("view");
const world = document.getElementById("world");
const byId = (id) => document.getElementById(id);
const WIDTH = 190, CHIP_TOP = 58, LONGEST = 26;
const SHORT = { BatchNorm: "BN", Dropout: "Drop" };

// -- drawing

function make(tag, attributes, parent, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  if (parent) parent.append(element);
  return element;
}

// Boxes and lines with their upper and lower ends: what is out of sight is not drawn, which keeps large nets fast.
const pieces = [];

const shortened = (text) => (text.length > LONGEST ? text.slice(0, LONGEST - 1) + "…" : text);

function drawNet(net, side) {
  const frames = make("g", { class: "frames" }, world), lines = make("g", {}, world), boxes = make("g", {}, world);
  if (data.two) make("text", { class: "net", x: net.x, y: -40 }, frames, `${net.name} (${net.phase})`);
  for (const [label, x, y, width, height] of net.blocks) {
    const frame = make("g", { class: "block" }, frames);
    make("rect", { x, y, width, height }, frame);
    make("text", { x: x - 6, y: y + 14 }, frame, label);
  }
  net.lines = net.nodes.map(() => []);
  for (const [above, below, , path] of net.edges) {
    const line = make("path", { class: "edge", d: path }, lines);
    net.lines[above].push(line);
    net.lines[below].push(line);
    pieces.push({ element: line, top: net.nodes[above].y, bottom: net.nodes[below].y, shown: true });
  }
  net.boxes = net.nodes.map((node, i) => drawNode(net, node, i, side, boxes));
  net.nodes.forEach(({ y, h }, i) => pieces.push({ element: net.boxes[i], top: y, bottom: y + h, shown: true }));
}

function drawNode(net, node, index, side, parent) {
  const first = net.layers[node.layers[0]];
  const unknown = first.kind === "unknown" ? "unknown" : "";
  const group = make("g", { class: `node ${node.mark} ${unknown}`, transform: `translate(${node.x} ${node.y})` }, parent);
  group.dataset.layer = first.name;
  group.at = { side, layer: node.layers[0] };
  make("rect", { width: WIDTH, height: node.h, fill: `var(--${first.kind})` }, group);
  const fit = Math.min(26, (WIDTH - 14) / (0.62 * first.name.length));
  make("text", { class: "name", x: 9, y: 18, style: `--fit: ${fit.toFixed(1)}px` }, group, shortened(first.name));
  node.lines.forEach((line, i) => make("text", { class: "more", x: 9, y: 34 + 15 * i }, group, line));
  const others = node.layers.slice(1);
  const width = (WIDTH - 12) / Math.max(others.length, 3);
  others.forEach((place, i) => {
    const layer = net.layers[place];
    const chip = make("g", { class: `chip ${layer.mark}` }, group);
    chip.at = { side, layer: place };
    make("rect", { x: 6 + i * width, y: CHIP_TOP, width: width - 3, height: 18, fill: `var(--${layer.kind})` }, chip);
    const text = (SHORT[layer.type] || layer.type).slice(0, Math.max(3, Math.floor(width / 6)));
    make("text", { x: 6 + i * width + (width - 3) / 2, y: CHIP_TOP + 13 }, chip, text);
    layer.chip = chip;
  });
  return group;
}

// -- moving

const view = { x: 0, y: 0, k: 1 };
const extent = {
  left: -110, top: data.two ? -80 : -40,
  right: Math.max(...data.nets.map((net) => net.x + net.width)) + 40,
  bottom: Math.max(...data.nets.map((net) => net.height)) + 40,
};

function apply() {
  world.setAttribute("transform", `translate(${view.x} ${view.y}) scale(${view.k})`);
  scaleLabels();
  hideUnseen();
  svg.classList.toggle("far", view.k < 0.5);
  svg.classList.toggle("very-far", view.k < 0.28);
  byId("zoom").value = `${Math.round(view.k * 100)} %`;
  document.documentElement.dataset.zoom = view.k.toFixed(3);
  drawMap();
}

let scaled = 0;
function scaleLabels() {
  if (Math.abs(Math.log(view.k / scaled)) < 0.02) return;
  scaled = view.k;
  world.querySelectorAll(".frames").forEach((frames) => frames.style.setProperty("--k", scaled));
}

function hideUnseen() {
  const margin = 100, top = -view.y / view.k - margin, bottom = (svg.clientHeight - view.y) / view.k + margin;
  for (const piece of pieces) {
    const shown = piece.bottom > top && piece.top < bottom;
    if (shown !== piece.shown) {
      piece.shown = shown;
      piece.element.style.display = shown ? "" : "none";
    }
  }
}

function zoom(factor, x = svg.clientWidth / 2, y = svg.clientHeight / 2) {
  const k = Math.min(4, Math.max(0.02, view.k * factor));
  view.x = x - ((x - view.x) * k) / view.k;
  view.y = y - ((y - view.y) * k) / view.k;
  view.k = k;
  apply();
}

function show(whole) {
  const across = svg.clientWidth / (extent.right - extent.left);
  const down = svg.clientHeight / (extent.bottom - extent.top);
  // At first as much as can be read; the rest is a scroll away.
  view.k = whole ? Math.min(across, down, 1) : Math.min(1, Math.max(across, 0.4));
  const room = svg.clientWidth - (extent.right - extent.left) * view.k;
  view.x = Math.max(0, room / 2) - extent.left * view.k;
  view.y = whole ? (svg.clientHeight - (extent.bottom + extent.top) * view.k) / 2 : -extent.top * view.k;
  apply();
}

function centre(x, y) {
  view.x = svg.clientWidth / 2 - x * view.k;
  view.y = svg.clientHeight / 2 - y * view.k;
  apply();
}

svg.addEventListener("wheel", (event) => {
  event.preventDefault();
  if (event.ctrlKey || event.metaKey) {
    const box = svg.getBoundingClientRect();
    zoom(Math.exp(-event.deltaY / 300), event.clientX - box.left, event.clientY - box.top);
  } else {
    const lines = event.deltaMode === 1 ? 24 : 1;
    view.x -= (event.shiftKey ? event.deltaY : event.deltaX) * lines;
    view.y -= (event.shiftKey ? 0 : event.deltaY) * lines;
    apply();
  }
}, { passive: false });

const pointers = new Map();
let travelled = 0;
svg.addEventListener("pointerdown", (event) => {
  pointers.set(event.pointerId, event);
  travelled = 0;
});
window.addEventListener("pointermove", (event) => {
  const before = pointers.get(event.pointerId);
  if (!before) return;
  const [dx, dy] = [event.clientX - before.clientX, event.clientY - before.clientY];
  travelled += Math.abs(dx) + Math.abs(dy);
  if (pointers.size === 2) {
    const other = [...pointers.values()].find((p) => p.pointerId !== event.pointerId);
    const distance = (p) => Math.hypot(p.clientX - other.clientX, p.clientY - other.clientY);
    const box = svg.getBoundingClientRect();
    zoom(distance(event) / Math.max(1, distance(before)), other.clientX - box.left, other.clientY - box.top);
  } else {
    view.x += dx;
    view.y += dy;
    apply();
  }
  pointers.set(event.pointerId, event);
  svg.classList.add("dragging");
});
for (const name of ["pointerup", "pointercancel"]) {
  window.addEventListener(name, (event) => {
    pointers.delete(event.pointerId);
    svg.classList.remove("dragging");
  });
}
