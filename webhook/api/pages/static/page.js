// Comfort only: every page says and does all of it without this script.
"use strict";

const REFRESH_SECONDS = 30;

function typing(target) {
  return target.isContentEditable || ["INPUT", "SELECT", "TEXTAREA"].includes(target.tagName);
}

document.addEventListener("keydown", (event) => {
  const search = document.getElementById("search");
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || !search || typing(event.target)) return;
  event.preventDefault();
  search.focus();
  search.select();
});

// A clipboard is there on loopback and over TLS only.
if (navigator.clipboard) {
  for (const command of document.querySelectorAll(".command")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.setAttribute("aria-label", "Copy: " + command.dataset.of);
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(command.querySelector("pre").textContent);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    command.append(button);
  }
}

// Looks again by itself only where somebody asked for it, and never while a hand is on the page.
const place = document.getElementById("refresh");
if (place) {
  const button = document.createElement("button");
  const key = "setscrew-refresh";
  const on = () => sessionStorage.getItem(key) === "on";
  const show = () => {
    button.textContent = "Refresh every " + REFRESH_SECONDS + " s: " + (on() ? "on" : "off");
    button.setAttribute("aria-pressed", String(on()));
  };
  button.type = "button";
  button.addEventListener("click", () => { sessionStorage.setItem(key, on() ? "off" : "on"); show(); });
  show();
  place.append(button);
  setInterval(() => {
    const busy = typing(document.activeElement) || String(getSelection()) !== "";
    if (on() && !document.hidden && !busy) location.reload();
  }, REFRESH_SECONDS * 1000);
}

// An age that stood still would say that a report is young which is not.
const seen = document.querySelector(".asof [data-seconds]");
if (seen) {
  const loaded = performance.now();
  const words = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  setInterval(() => {
    const seconds = Number(seen.dataset.seconds) + Math.floor((performance.now() - loaded) / 1000);
    const [length, unit] = words.find(([length]) => seconds >= length) || words[3];
    seen.textContent = Math.floor(seconds / length) + " " + unit + " ago";
  }, 5000);
}
