"use strict";
// The picture: the photo, the labels' colours over it, and the border between the two.

const byId = (id) => document.getElementById(id);

/** What is shown: labels (a byte for each pixel), size, classes' names, colours, and the classes that are hidden. */
const shown = { labels: null, width: 0, height: 0, classes: [], colours: [], hidden: new Set() };

/** Whether a class's colour is black: it is background, whose pixels are shown as they are. */
const isBackground = (label) => shown.colours[label].every((value) => value === 0);

/** As `deeplab predict` chooses it: one pixel for every 700 of the longer side. */
const outlineWidth = () => Math.max(1, Math.round(Math.max(shown.width, shown.height) / 700));

/** The colour of each label as RGBA in a word; 0 for classes that are not drawn. */
function words(opacity) {
  const bytes = new Uint8ClampedArray(4 * 256);
  shown.colours.forEach((colour, label) => {
    if (!shown.hidden.has(label) && !isBackground(label)) bytes.set([...colour, 255 * opacity], 4 * label);
  });
  return new Uint32Array(bytes.buffer);
}

function drawOverlay() {
  const { labels, width, height } = shown, canvas = byId("overlay"), pen = canvas.getContext("2d");
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const image = pen.createImageData(width, height), pixels = new Uint32Array(image.data.buffer);
  const table = words(Number(byId("opacity").value)), white = 0xffffffff;
  const edges = byId("outline").checked ? edgesOf(labels, width, height, outlineWidth()) : null;
  const drawn = new Uint8Array(256);
  for (let label = 0; label < 256; label++) {
    drawn[label] = label < shown.colours.length && !shown.hidden.has(label) && !isBackground(label) ? 1 : 0;
  }
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i];
    pixels[i] = edges && edges[i] && drawn[label] ? white : table[label];
  }
  pen.putImageData(image, 0, 0);
}

/** Which pixels have another label within a square of `reach` pixels on each side. */
function edgesOf(labels, width, height, reach) {
  let high = labels, low = labels;
  for (let round = 0; round < reach; round++) {
    high = spread(high, width, height, Math.max);
    low = spread(low, width, height, Math.min);
  }
  const found = new Uint8Array(labels.length);
  for (let i = 0; i < labels.length; i++) found[i] = high[i] !== low[i] ? 1 : 0;
  return found;
}

/** The largest or smallest value of each pixel and its eight neighbours. */
function spread(values, width, height, choose) {
  const rows = new Uint8Array(values.length), all = new Uint8Array(values.length);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      rows[i] = choose(values[i], values[x ? i - 1 : i], values[x + 1 < width ? i + 1 : i]);
    }
  }
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      all[i] = choose(rows[i], rows[y ? i - width : i], rows[y + 1 < height ? i + width : i]);
    }
  }
  return all;
}

/** The photo with the overlay as it is shown, as a PNG. */
function pictureFile() {
  const canvas = document.createElement("canvas"), pen = canvas.getContext("2d");
  Object.assign(canvas, { width: shown.width, height: shown.height });
  pen.drawImage(byId("photo"), 0, 0);
  pen.drawImage(byId("overlay"), 0, 0);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

function moveBorder() {
  byId("stage").style.setProperty("--at", `${byId("compare").value}%`);
}

/** The class under the pointer. */
function tellClass(event) {
  const box = byId("stage").getBoundingClientRect();
  const x = Math.floor((event.clientX - box.left) / box.width * shown.width);
  const y = Math.floor((event.clientY - box.top) / box.height * shown.height);
  const inside = shown.labels && x >= 0 && y >= 0 && x < shown.width && y < shown.height;
  byId("under").value = inside ? shown.classes[shown.labels[y * shown.width + x]] : "";
}

byId("compare").addEventListener("input", moveBorder);
byId("stage").addEventListener("pointermove", tellClass);
byId("stage").addEventListener("pointerleave", () => { byId("under").value = ""; });
