"use strict";
// The page of `deeplab prototxt view`, whose names are used here, beside an editor: it follows the cursor, and the
// server tells when the net is to be drawn again.

const KEPT = "deeplab-view";
const edition = document.currentScript.dataset.edition;
const events = new EventSource(`events?edition=${edition}`);

events.addEventListener("layer", (event) => {
  const { name } = JSON.parse(event.data);
  const found = everything.find(({ of }) => of.name === name);
  if (found && !(selected && selected.side === found.side && selected.layer === found.layer)) select(found, true);
  document.documentElement.dataset.layer = name;
});

events.addEventListener("drawn", () => {
  sessionStorage.setItem(KEPT, JSON.stringify(view));
  location.reload();
});

const kept = sessionStorage.getItem(KEPT);
sessionStorage.removeItem(KEPT);
if (kept) {
  Object.assign(view, JSON.parse(kept));
  apply();
}
document.documentElement.dataset.edition = edition;
