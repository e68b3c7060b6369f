// -- the small map

const map = byId("map");
const SCALE = Math.min(110 / (extent.right - extent.left), 420 / (extent.bottom - extent.top));
const ground = document.createElement("canvas");
const pickColour = getComputedStyle(document.documentElement).getPropertyValue("--pick");

function prepareMap() {
  const ratio = window.devicePixelRatio || 1;
  for (const canvas of [map, ground]) {
    canvas.width = (extent.right - extent.left) * SCALE * ratio;
    canvas.height = (extent.bottom - extent.top) * SCALE * ratio;
  }
  map.style.width = `${map.width / ratio}px`;
  map.style.height = `${map.height / ratio}px`;
  const pen = ground.getContext("2d"), style = getComputedStyle(document.documentElement);
  pen.setTransform(SCALE * ratio, 0, 0, SCALE * ratio, -extent.left * SCALE * ratio, -extent.top * SCALE * ratio);
  for (const net of data.nets) {
    for (const node of net.nodes) {
      const mark = node.mark && style.getPropertyValue(`--${node.mark}`);
      pen.fillStyle = mark || (data.two ? style.getPropertyValue("--line") : style.getPropertyValue("--soft"));
      pen.fillRect(node.x, node.y, WIDTH, Math.max(node.h, 1.5 / SCALE));
    }
  }
}

function drawMap() {
  const pen = map.getContext("2d"), scale = map.width / (extent.right - extent.left);
  pen.clearRect(0, 0, map.width, map.height);
  pen.drawImage(ground, 0, 0);
  pen.strokeStyle = pickColour;
  pen.lineWidth = 2;
  const x = (-view.x / view.k - extent.left) * scale, y = (-view.y / view.k - extent.top) * scale;
  pen.strokeRect(x, y, (svg.clientWidth / view.k) * scale, (svg.clientHeight / view.k) * scale);
}

function goByMap(event) {
  if (event.buttons === 0) return;
  const box = map.getBoundingClientRect();
  centre((event.clientX - box.left) / SCALE + extent.left, (event.clientY - box.top) / SCALE + extent.top);
}
map.addEventListener("pointerdown", goByMap);
map.addEventListener("pointermove", goByMap);

// -- one layer

let selected = null;

function fill(parent, pairs) {
  const list = document.createElement("dl");
  for (const [label, text] of pairs) {
    const term = document.createElement("dt"), description = document.createElement("dd");
    term.textContent = label;
    description.textContent = text;
    list.append(term, description);
  }
  parent.append(list);
}

function heading(parent, text, mark) {
  const element = document.createElement("h2");
  element.textContent = text;
  if (mark) {
    const said = document.createElement("span");
    said.className = `text-${mark}`;
    said.textContent = ` ${mark}`;
    element.append(said);
  }
  parent.append(element);
}

function marked(at, on, look) {
  const net = data.nets[at.side], layer = net.layers[at.layer];
  net.boxes[layer.node].classList.toggle(look, on);
  if (layer.chip) layer.chip.classList.toggle(look, on);
  for (const line of net.lines[layer.node]) line.classList.toggle("on", on);
}

function counterpart(at) {
  const peer = at ? data.nets[at.side].layers[at.layer].peer : -1;
  return peer >= 0 ? { side: 1 - at.side, layer: peer } : null;
}

function middleOf(at) {
  const net = data.nets[at.side], node = net.nodes[net.layers[at.layer].node];
  return [node.x + WIDTH / 2, node.y + node.h / 2];
}

function select(at, move) {
  for (const [old, look] of [[selected, "selected"], [counterpart(selected), "peer"]]) {
    if (old) marked(old, false, look);
  }
  selected = at;
  if (!at) {
    history.replaceState(null, "", "#");
    return showTotals();
  }
  const peer = counterpart(at);
  if (peer) marked(peer, true, "peer");
  marked(at, true, "selected");
  const layer = data.nets[at.side].layers[at.layer];
  showLayer(data.nets[at.side], layer, at);
  if (move) {
    const [x, y] = middleOf(at), across = peer ? Math.abs(middleOf(peer)[0] - x) + 2 * WIDTH : 0;
    if (view.k < 0.5) view.k = 0.8;
    // both of a pair where they fit
    centre(peer && across * view.k < svg.clientWidth ? (x + middleOf(peer)[0]) / 2 : x, y);
  }
  history.replaceState(null, "", `#layer=${encodeURIComponent(layer.name)}${at.side ? "&side=1" : ""}`);
}

function showLayer(net, layer, at) {
  const panel = byId("details");
  panel.replaceChildren();
  heading(panel, layer.name, layer.mark);
  if (layer.changes.length) {
    const list = document.createElement("ul");
    for (const change of layer.changes) {
      const item = document.createElement("li");
      item.textContent = change;
      list.append(item);
    }
    panel.append(list);
  }
  fill(panel, layer.details);
  if (data.two && layer.peer >= 0) {
    const button = document.createElement("button"), side = 1 - at.side;
    button.textContent = `its counterpart in ${data.nets[side].name}`;
    button.addEventListener("click", () => select({ side, layer: layer.peer }, true));
    panel.append(button);
  }
  const text = document.createElement("pre");
  text.textContent = layer.text;
  panel.append(text);
}

function showTotals() {
  const panel = byId("details");
  panel.replaceChildren();
  for (const net of data.nets) {
    heading(panel, `${net.name} (${net.phase})`);
    fill(panel, net.totals);
  }
}

// -- finding

const everything = data.nets.flatMap((net, side) => net.layers.map((layer, i) => ({ side, layer: i, of: layer })));
// a pair once, as what it was before
const differing = everything.filter(({ side, of }) => of.mark && !(side === 1 && of.peer >= 0));
let list = differing, place = -1;

function mentions(layer, wanted) {
  const blobs = layer.details.filter(([label]) => label === "reads" || label === "makes").map((pair) => pair[1]);
  return [layer.name, layer.type, ...blobs].some((text) => text.toLowerCase().includes(wanted));
}

function find(text) {
  const wanted = text.trim().toLowerCase();
  list = wanted ? everything.filter(({ of }) => mentions(of, wanted)) : differing;
  place = -1;
  svg.classList.toggle("searching", Boolean(wanted));
  document.querySelectorAll(".node.hit").forEach((node) => node.classList.remove("hit"));
  if (wanted) for (const { side, of } of list) data.nets[side].boxes[of.node].classList.add("hit");
  byId("count").value = wanted ? `${list.length} layer${list.length === 1 ? "" : "s"}` : "";
  showList(Boolean(wanted));
}

function showList(searched) {
  const results = byId("results");
  results.replaceChildren();
  for (const entry of list.slice(0, 500)) {
    const item = document.createElement("li"), small = document.createElement("small");
    item.textContent = `${entry.of.name} `;
    if (entry.of.mark) item.className = `text-${entry.of.mark}`;
    small.textContent = entry.of.mark && !searched ? entry.of.changes.join(", ") || entry.of.mark : entry.of.type;
    item.append(small);
    item.addEventListener("click", () => step(list.indexOf(entry) - place));
    results.append(item);
  }
  byId("steps").hidden = list.length === 0;
  byId("step").textContent = searched ? `${list.length} found` : `${list.length} differences`;
}

function step(by) {
  if (!list.length) return;
  place = (place + by + list.length) % list.length;
  select(list[place], true);
  byId("step").textContent = `${place + 1} of ${list.length}`;
  byId("results").querySelectorAll("li").forEach((item, i) => item.classList.toggle("selected", i === place));
}

byId("search").addEventListener("input", (event) => find(event.target.value));
byId("find").addEventListener("submit", (event) => { event.preventDefault(); step(1); });
byId("next").addEventListener("click", () => step(1));
byId("previous").addEventListener("click", () => step(place < 0 ? 0 : -1));

// -- pointing, clicking, keys

const tip = byId("tip");
const target = (event) => { const found = event.target.closest(".chip, .node"); return found && found.at; };

svg.addEventListener("click", (event) => { if (travelled < 5) select(target(event), false); });
svg.addEventListener("dblclick", (event) => {
  const box = svg.getBoundingClientRect();
  zoom(1.6, event.clientX - box.left, event.clientY - box.top);
});
svg.addEventListener("pointermove", (event) => {
  const at = target(event);
  tip.hidden = !at || pointers.size > 0;
  if (tip.hidden) return;
  const layer = data.nets[at.side].layers[at.layer], name = document.createElement("b");
  name.textContent = layer.name;
  tip.replaceChildren(name);
  for (const change of layer.changes.slice(0, 4)) {
    const line = document.createElement("div");
    line.className = `text-${layer.mark}`;
    line.textContent = change;
    tip.append(line);
  }
  const shown = ["type", "makes", "window", "parameters", "receptive field"];
  fill(tip, layer.details.filter(([label]) => shown.includes(label)));
  const box = svg.getBoundingClientRect();
  tip.style.left = `${Math.min(event.clientX - box.left + 14, box.width - tip.offsetWidth - 8)}px`;
  tip.style.top = `${Math.min(event.clientY - box.top + 14, box.height - tip.offsetHeight - 8)}px`;
});
svg.addEventListener("pointerleave", () => { tip.hidden = true; });

byId("in").addEventListener("click", () => zoom(1.25));
byId("out").addEventListener("click", () => zoom(0.8));
byId("fit").addEventListener("click", () => show(true));
const KEYS = {
  "/": () => byId("search").focus(),
  "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(0.8), 0: () => show(true),
  n: () => step(1), p: () => step(-1), Escape: () => select(null, false),
  ArrowUp: () => { view.y += 80; apply(); }, ArrowDown: () => { view.y -= 80; apply(); },
  ArrowLeft: () => { view.x += 80; apply(); }, ArrowRight: () => { view.x -= 80; apply(); },
};
window.addEventListener("keydown", (event) => {
  const typing = event.target === byId("search");
  if (typing && event.key === "Escape") { byId("search").value = ""; find(""); byId("search").blur(); }
  if (typing || event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
  event.preventDefault();
  KEYS[event.key]();
});

// -- what the address asks for: #search=fc6, #layer=fc6&side=1, #zoom=0.5

function follow() {
  const asked = new URLSearchParams(location.hash.slice(1));
  if (asked.has("search")) {
    byId("search").value = asked.get("search");
    find(asked.get("search"));
    step(1);
  } else if (asked.has("layer")) {
    const side = Number(asked.get("side") || 0);
    const found = everything.find((entry) => entry.side === side && entry.of.name === asked.get("layer"));
    if (found) select(found, true);
  }
  if (asked.get("zoom") === "fit") show(true);
  else if (asked.has("zoom")) zoom(Number(asked.get("zoom")) / view.k);
}

document.body.classList.toggle("two", data.two);
data.nets.forEach(drawNet);
prepareMap();
showTotals();
find("");
show(false);
follow();
window.addEventListener("hashchange", follow);
window.addEventListener("resize", apply);
document.documentElement.dataset.ready = "yes";
