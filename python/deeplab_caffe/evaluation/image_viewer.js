"use strict";
// Puts the pictures of each image over one another, two at a time, with a slider between them.
// The page has them side by side already; this only moves what is there.
(() => {
  const toolbar = document.querySelector(".toolbar");
  if (!toolbar) return;
  const chosen = toolbar.elements;

  const element = (tag, name, attributes = {}) => Object.assign(document.createElement(tag), { className: name, ...attributes });

  function pictures(row) {
    const found = new Map();
    for (const figure of row.querySelectorAll("figure:not([data-kind=other])")) {
      found.set(figure.dataset.heading, { kind: figure.dataset.kind, source: figure.querySelector("img").src });
    }
    return found;
  }

  function viewer(row) {
    const found = pictures(row);
    const photo = [...found.values()].find((picture) => picture.kind === "photo");
    const stage = element("div", "stage");
    const ground = element("img", "ground", { alt: "" });
    ground.addEventListener("load", () => stage.style.setProperty("--ratio", ground.naturalWidth / ground.naturalHeight));
    ground.src = (photo || [...found.values()][0]).source;
    const sides = ["left", "right"].map((side) => {
      const box = element("div", `side ${side}`);
      box.append(element("img", "layer", { alt: "" }), element("span", "tag"));
      return box;
    });
    const slider = element("input", "cut", { type: "range", min: 0, max: 100, step: 0.5, value: 50 });
    slider.addEventListener("input", () => stage.style.setProperty("--cut", `${slider.value}%`));
    stage.append(ground, ...sides, element("i", "line"), slider);
    row.querySelector(".example").before(stage);

    return () => {
      sides.forEach((box, place) => {
        const heading = chosen[place ? "right" : "left"].value;
        const picture = found.get(heading);
        const [layer, tag] = box.children;
        box.hidden = !picture;
        if (!picture) return;
        layer.src = picture.source;
        layer.classList.toggle("tinted", picture.kind === "labels" && Boolean(photo));
        tag.textContent = heading;
      });
      const name = row.querySelector(".name b").textContent;
      slider.setAttribute("aria-label", `${name}: ${chosen.left.value} on the left, ${chosen.right.value} on the right`);
    };
  }

  const updates = [...document.querySelectorAll(".shown")].map(viewer);
  function update() {
    document.body.style.setProperty("--strength", chosen.strength.value / 100);
    document.body.classList.toggle("apart", chosen.apart.checked);
    updates.forEach((one) => one());
  }
  toolbar.addEventListener("input", update);
  toolbar.addEventListener("submit", (event) => event.preventDefault());
  toolbar.reset();
  toolbar.hidden = false;
  document.body.classList.add("viewing");
  update();
})();
