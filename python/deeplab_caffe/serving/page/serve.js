"use strict";
// Sending photos and settings to the server, and saving what came of them.

/** The photo at work: its file, and what the server said of it. */
let photo = null;
/** Ends the sending of an earlier photo. */
let sending = new AbortController();
/** Settings for which labels are wanted, the newest alone; and whether earlier ones are being computed. */
let wanted = null, computing = false, number = 0;

function tell(text, isError = false) {
  byId("message").textContent = text;
  byId("message").classList.toggle("error", isError);
}

/** What the server answers; an error with its message otherwise. Busy servers are asked again. */
async function ask(address, options = {}) {
  for (let attempt = 0; ; attempt++) {
    const answer = await fetch(address, options).catch((error) => {
      if (error.name === "AbortError") throw error;
      throw new Error("the server does not answer; is `deeplab serve` still running?");
    });
    if (answer.ok) return answer;
    if (answer.status !== 503 || attempt >= 20) {
      const said = await answer.json().catch(() => ({ error: `status ${answer.status}` }));
      throw Object.assign(new Error(said.error), { status: answer.status });
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

// -- a photo

async function open(file) {
  sending.abort();
  sending = new AbortController();
  const { signal } = sending;
  try {
    if (file.size > about.most_bytes) {
      throw new Error(`has ${(file.size / 2 ** 20).toFixed(0)} MB; expected at most ${about.most_bytes / 2 ** 20} MB`);
    }
    tell(`Segmenting ${file.name}…`);
    document.body.setAttribute("aria-busy", "true");
    photo = await send(file, signal);
    showPhoto();
  } catch (error) {
    if (error.name !== "AbortError") tell(`${file.name}: ${error.message.replace(/^the photo: /, "")}`, true);
  } finally {
    if (!signal.aborted) document.body.removeAttribute("aria-busy");
  }
}

/** Let the server segment a file. */
async function send(file, signal) {
  const answer = await ask("/photos", { method: "POST", body: file, signal });
  return { ...(await answer.json()), file };
}

function showPhoto() {
  const { id, width, height, sent, classes, file } = photo;
  Object.assign(shown, { width, height, classes, labels: null });
  shown.hidden.clear();
  const stage = byId("stage");
  stage.style.setProperty("--w", width);
  stage.style.setProperty("--h", height);
  byId("photo").src = `/photos/${id}.png`;
  byId("photo").alt = file.name;
  byId("sizes").textContent = `${file.name}, ${sent.width} × ${sent.height}` + (isReduced() ? `, reduced to ${width} × ${height}` : "");
  byId("save-photo").hidden = !isReduced();
  byId("overlay").getContext("2d").clearRect(0, 0, width, height);
  for (const part of ["stage", "caption", "panel"]) byId(part).hidden = false;
  byId("empty").hidden = true;
  refine();
}

// -- labels

/** The CRF's parameters; null: no CRF. */
const crfSettings = () => (byId("crf").checked ? { ...parameters } : null);

/** Ask for the labels of the settings as they are now; while others are computed, the newest of later ones waits. */
function refine() {
  showCommand();
  if (!photo) return;
  wanted = { of: photo, crf: crfSettings() };
  if (!computing) compute();
}

async function compute() {
  computing = true;
  byId("stage").classList.add("working");
  while (wanted) {
    const now = wanted;
    wanted = null;
    try {
      const labels = await labelsFor(now);
      if (photo === now.of) show(labels, now);
    } catch (error) {
      if (error.status !== 409) tell(error.message, true);
    }
  }
  computing = false;
  byId("stage").classList.remove("working");
}

async function labelsFor({ of, crf }) {
  number += 1;
  const options = { method: "POST", body: JSON.stringify(crf) }, address = () => `/photos/${of.id}/labels?number=${number}`;
  const answer = await again(of, () => ask(address(), options));
  const took = /dur=([\d.]+)/.exec(answer.headers.get("Server-Timing"));
  byId("took").value = crf && took ? `${(took[1] / 1000).toFixed(2)} s` : "";
  return new Uint8Array(await answer.arrayBuffer());
}

/** Ask for something of a photo; send the photo again if the server does not have it any more. */
async function again(of, request) {
  try {
    return await request();
  } catch (error) {
    if (error.status !== 404) throw error;
    Object.assign(of, await send(of.file));
    return request();
  }
}

function show(labels, { crf }) {
  shown.labels = labels;
  showLegend();
  drawOverlay();
  tell("");
  document.documentElement.dataset.shown = JSON.stringify(crf);
}

// -- saving

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

const stem = () => photo.file.name.replace(/\.[^.]*$/, "") || "photo";
const isReduced = () => photo.width !== photo.sent.width || photo.height !== photo.sent.height;

async function saveLabels() {
  const options = { method: "POST", body: JSON.stringify(crfSettings()) };
  const answer = await again(photo, () => ask(`/photos/${photo.id}/labels.png`, options));
  save(await answer.blob(), `${stem()}_labels.png`);
}

const SAVES = {
  "save-labels": saveLabels,
  "save-overlay": async () => save(await pictureFile(), `${stem()}_overlay.png`),
  "save-crf": () => save(new Blob([`${JSON.stringify(parameters)}\n`], { type: "application/json" }), "crf.json"),
  "save-photo": async () => save(await (await again(photo, () => ask(`/photos/${photo.id}.png`))).blob(), `${stem()}_reduced.png`),
};
for (const [id, action] of Object.entries(SAVES)) {
  byId(id).addEventListener("click", async () => {
    try {
      await action();
    } catch (error) {
      tell(error.message, true);
    }
  });
}

/** A word as a shell takes it. */
function quoted(word) {
  if (/^[\w@%+=:,./][\w@%+=:,./-]*$/.test(word) || /^--[\w-]+$/.test(word)) return word;
  return `'${(word.startsWith("-") ? `./${word}` : word).replaceAll("'", "'\\''")}'`;
}

function command() {
  const name = isReduced() ? `${stem()}_reduced.png` : photo.file.name;
  const stated = Object.entries(parameters).filter(([, value]) => value !== "after");  // which is the default
  const values = stated.map(([key, value]) => `${key}=${value}`).join(",");
  const opacity = byId("opacity").value;
  return [
    ...["deeplab", "predict", name, ...about.command].map(quoted),
    ...(byId("crf").checked ? ["--crf", values] : []),
    ...(Number(opacity) === 0.55 ? [] : ["--opacity", opacity]),
    ...(byId("outline").checked ? [] : ["--outline", "0"]),
  ].join(" ");
}

function showCommand() {
  if (photo) byId("command").textContent = command();
}

byId("copy").addEventListener("click", async () => {
  const text = byId("command").textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    getSelection().selectAllChildren(byId("command"));
    document.execCommand("copy");
  }
  byId("copy").textContent = "Copied";
  setTimeout(() => { byId("copy").textContent = "Copy"; }, 1500);
});

// -- choosing, dropping, pasting

const imageIn = (transfer) => [...(transfer?.files || [])][0];

byId("file").addEventListener("change", () => {
  const file = byId("file").files[0];
  byId("file").value = "";
  if (file) open(file);
});
let within = 0;
document.addEventListener("dragenter", (event) => { event.preventDefault(); within += 1; byId("target").hidden = false; });
document.addEventListener("dragleave", () => { within -= 1; byId("target").hidden = within > 0; });
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  within = 0;
  byId("target").hidden = true;
  const file = imageIn(event.dataTransfer);
  if (file) open(file);
  else tell("that is no file; expected a photo", true);
});
document.addEventListener("paste", (event) => {
  const file = imageIn(event.clipboardData);
  if (file) open(file);
});

async function start() {
  makeSliders();
  try {
    about = await (await ask("/model")).json();
  } catch (error) {
    return tell(error.message, true);
  }
  shown.colours = about.colours;
  makePresets();
  usePreset(firstPreset());
  byId("crf").checked = about.found;
  byId("parameters").disabled = !about.found;
  byId("model").textContent = about.protocol === "scale 1" ? about.model : `${about.model}, ${about.protocol}`;
  moveBorder();
  document.documentElement.dataset.ready = "yes";
}
start();
