"use strict";
for (const slider of document.querySelectorAll(".compare input")) {
  const show = () => {
    slider.parentElement.style.setProperty("--cut", `${slider.value}%`);
    slider.setAttribute("aria-valuetext", `${slider.value} % blind, ${100 - slider.value} % restored`);
  };
  slider.addEventListener("input", show);
  show();
}

const root = document.documentElement;
const remembered = () => {
  try {
    return localStorage.getItem("theme");
  } catch {
    return null; // pages opened from a file may have no storage
  }
};
if (remembered()) root.dataset.theme = remembered();
document.getElementById("theme").addEventListener("click", () => {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  try {
    localStorage.setItem("theme", root.dataset.theme);
  } catch {
    // shown now, forgotten later
  }
});
