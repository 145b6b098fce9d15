// Lets ages go on, and brings the page anew every 15 s. Without it the page is whole, only older.
"use strict";
const EVERY_MS = 15000, LATE_MS = 10000;
let broughtAt = performance.now();

function age(seconds) {
  for (const [length, unit] of [[86400, "d"], [3600, "h"], [60, "min"]]) {
    if (seconds >= 2 * length) return `${Math.round(seconds / length)} ${unit}`;
  }
  return `${Math.round(seconds)} s`;
}

function tick() {
  const passed = (performance.now() - broughtAt) / 1000;
  for (const each of document.querySelectorAll("[data-age]")) {
    if (each.dataset.age) each.textContent = `${age(Number(each.dataset.age) + passed)} ago`;
  }
}

function busy() {
  const main = document.getElementById("main"), selection = document.getSelection();
  const typing = document.activeElement && document.activeElement.tagName === "INPUT";
  return typing || main.querySelector("details[open]") || (selection && !selection.isCollapsed);
}

function lost(why) {
  const told = document.getElementById("lost");
  const passed = (performance.now() - broughtAt) / 1000;
  told.hidden = !why;
  told.textContent = why ? `The operator cannot be reached (${why}); what stands below is ${age(passed)} old.` : "";
}

async function bring() {
  if (document.hidden || busy()) return;
  try {
    const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(LATE_MS) });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const found = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("main");
    const here = document.activeElement && document.activeElement.getAttribute("href");
    document.getElementById("main").replaceWith(document.adoptNode(found));
    for (const link of here ? document.querySelectorAll("a[href]") : []) {
      if (link.getAttribute("href") === here) { link.focus({ preventScroll: true }); break; }
    }
    broughtAt = performance.now();
    lost("");
  } catch (error) {
    lost(error.message);
  }
}

setInterval(tick, 1000);
setInterval(bring, EVERY_MS);
