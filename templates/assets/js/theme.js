// Size and theme, kept on this device. A classic script, loaded before the first paint, so that the page never
// flashes in the other theme; everything else is a module. Touches nothing but two attributes of <html>.
(function () {
  "use strict";
  const root = document.documentElement;
  const fixed = { size: null, theme: root.getAttribute("data-theme") };
  const known = { size: ["normal", "large", "elder"], theme: ["system", "light", "dark"] };

  function kept(name) {
    try {
      const value = localStorage.getItem("patrol." + name);
      return known[name].includes(value) ? value : known[name][0];
    } catch {
      return known[name][0]; // storage may be closed; the page still works
    }
  }

  function show(name, value) {
    if (name === "size") root.setAttribute("data-size", value);
    else if (fixed.theme) root.setAttribute("data-theme", fixed.theme);
    else if (value === "system") root.removeAttribute("data-theme");
    else root.setAttribute("data-theme", value);
    for (const button of document.querySelectorAll("[data-set-" + name + "][aria-pressed]")) {
      button.setAttribute("aria-pressed", String(button.getAttribute("data-set-" + name) === value));
    }
  }

  function keep(name, value) {
    try {
      localStorage.setItem("patrol." + name, value);
    } catch {
      // not kept, still shown
    }
    show(name, value);
  }

  show("size", kept("size"));
  show("theme", kept("theme"));
  document.addEventListener("DOMContentLoaded", function () {
    show("size", kept("size"));
    show("theme", kept("theme"));
  });
  document.addEventListener("click", function (event) {
    for (const name of ["size", "theme"]) {
      const button = event.target.closest("[data-set-" + name + "]");
      if (button) keep(name, button.getAttribute("data-set-" + name));
    }
  });
})();
