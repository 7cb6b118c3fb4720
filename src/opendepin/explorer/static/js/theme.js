// Colours before the first paint: the visitor's choice, else the system's. Runs in <head>, so it is tiny and blocking.
(() => {
  const root = document.documentElement;
  const light = matchMedia("(prefers-color-scheme: light)");
  const chosen = () => {
    try {
      return localStorage.getItem("theme") || "auto";
    } catch {
      return "auto"; // storage is closed to us: follow the system
    }
  };
  const apply = () => {
    const theme = chosen();
    if (theme === "auto") delete root.dataset.theme;
    else root.dataset.theme = theme;
    root.dataset.shade = theme === "auto" ? (light.matches ? "light" : "dark") : theme;
    dispatchEvent(new CustomEvent("shade"));
  };
  window.theme = {
    chosen,
    choose(theme) {
      try {
        localStorage.setItem("theme", theme);
      } catch {
        root.dataset.theme = theme;
      }
      apply();
    },
  };
  light.addEventListener("change", apply);
  apply();
})();
