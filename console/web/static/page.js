// What the page does beyond reading: the key for the search, arrows in a chart, one time marked in all charts, and a span
// chosen by dragging. Everything else works without this file.
"use strict";

const charts = [...document.querySelectorAll(".buckets")].map((box) => [...box.children]);

// "/" goes to the search, unless somebody is writing.
document.addEventListener("keydown", (event) => {
  const writing = event.target.closest("input, select, textarea");
  const search = document.querySelector("input[type=search]");
  if (event.key === "/" && !writing && search && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    search.focus();
    search.select();
  }
});

// The same time in every chart.
function mark(index, name) {
  for (const buckets of charts) {
    buckets.forEach((bucket, i) => bucket.classList.toggle(name, i === index));
  }
}

// One tab stop a chart, the newest bucket first; arrows move within it.
function move(buckets, index) {
  const to = Math.min(buckets.length - 1, Math.max(0, index));
  buckets.forEach((bucket, i) => { bucket.tabIndex = i === to ? 0 : -1; });
  buckets[to].focus();
}

const STEPS = { ArrowLeft: -1, ArrowRight: 1, PageUp: -24, PageDown: 24, Home: -Infinity, End: Infinity };

// The mentions between two buckets, dragged over in either direction.
function span(first, last) {
  const from = new URL(first.href);
  from.searchParams.set("to", new URL(last.href).searchParams.get("to"));
  return from;
}

for (const buckets of charts) {
  let start = null;
  buckets.forEach((bucket, i) => {
    bucket.tabIndex = i === buckets.length - 1 ? 0 : -1;
    bucket.draggable = false;
    bucket.addEventListener("focus", () => mark(i, "on"));
    bucket.addEventListener("blur", () => mark(-1, "on"));
    bucket.addEventListener("pointerenter", () => {
      mark(i, "on");
      if (start !== null) {
        buckets.forEach((other, j) => other.classList.toggle("picked", j >= Math.min(start, i) && j <= Math.max(start, i)));
      }
    });
    bucket.addEventListener("pointerleave", () => mark(-1, "on"));
    bucket.addEventListener("pointerdown", (event) => { start = event.pointerType === "mouse" && event.button === 0 ? i : null; });
    bucket.addEventListener("pointerup", () => {
      if (start !== null && start !== i) {
        location.assign(span(buckets[Math.min(start, i)], buckets[Math.max(start, i)]));
      }
    });
    bucket.addEventListener("keydown", (event) => {
      if (event.key in STEPS && !event.ctrlKey && !event.metaKey && !event.altKey) {
        event.preventDefault();
        move(buckets, i + STEPS[event.key]);
      }
    });
  });
  document.addEventListener("pointerup", () => {
    start = null;
    buckets.forEach((bucket) => bucket.classList.remove("picked"));
  });
}
