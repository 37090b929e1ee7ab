// Light or dark before the first paint: as chosen here, else as the system says.
"use strict";
{
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const stored = () => {
    try {
      return localStorage.getItem("fanfare.theme");
    } catch {
      return null; // storage may be forbidden; then every visit starts with the system's choice
    }
  };
  const isDark = () => (root.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
  const show = () => document.getElementById("theme")?.setAttribute("aria-pressed", String(isDark()));

  const chosen = stored();
  if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;
  system.addEventListener("change", show);
  addEventListener("DOMContentLoaded", () => {
    show();
    document.getElementById("theme").addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      try {
        localStorage.setItem("fanfare.theme", root.dataset.theme);
      } catch {
        // as above
      }
      show();
    });
  });
}
