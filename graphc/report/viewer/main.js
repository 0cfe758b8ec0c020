// main: the frame of the page: tabs, search, themes, keys.

const panels = [
  { id: "overview", title: "Overview", make: overviewPanel },
  { id: "source", title: "Source", make: () => () => {}, narrow: true },
  { id: "graph", title: "Graph", make: graphPanel },
  { id: "passes", title: "Passes", make: passesPanel },
  ...(dispatches.length ? [
    { id: "kernels", title: "Kernels", make: kernelsPanel },
    { id: "memory", title: "Memory", make: memoryPanel },
    { id: "time", title: "Time", make: timePanel },
    { id: "fusion", title: "Not fused", make: fusionPanel },
  ] : []),
  ...(D.run ? [{ id: "run", title: "Run", make: runPanel }] : []),
  ...(D.beside ? [{ id: "compare", title: "Compare", make: comparePanel }] : []),
  ...(D.arguments ? [{ id: "signatures", title: "Signatures", make: signaturesPanel }] : []),
];

function searchFor(text) {
  const wanted = text.toLowerCase();
  const found = [];
  const has = (name) => name.toLowerCase().includes(wanted);
  D.lines.forEach((_, line) => {
    const [file, number] = D.lines[line];
    const shown = D.files[file].lines.find(([n]) => n === number);
    if (has(lineName(line)) || (shown && has(shown[1]))) found.push(["line", line, `${lineName(line)} ${shown ? shown[1].trim() : ""}`]);
  });
  kernels.forEach((_, n) => has(kernelName(n)) && found.push(["kernel", n, kernelName(n)]));
  tensors.forEach((_, n) => has(tensorName(n)) && found.push(["tensor", n, `${tensorName(n)}: ${T(tensors[n][1])}`]));
  for (const [op, r] of M.rowOf) {
    if (found.length > 400) break;
    const string = opText(r);
    if (has(string)) found.push(["op", op, string]);
  }
  return found;
}

function searchBox() {
  const input = h("input", { type: "search", placeholder: "Search (press /)", "aria-label": "Search lines, ops, kernels and tensors", autocomplete: "off" });
  const list = h("ul", { class: "results", hidden: true });
  const close = () => (list.hidden = true);
  input.addEventListener("input", () => {
    list.replaceChildren();
    const text = input.value.trim();
    list.hidden = !text;
    if (!text) return;
    const found = searchFor(text);
    if (!found.length) list.append(h("li", { class: "quiet" }, "nothing found"));
    listed(list, found, ([type, id, name]) => h("li", {}, h("span", { class: "quiet" }, `${type} `), link(type, id, name.slice(0, 120))), 50);
  });
  list.addEventListener("click", (event) => event.target.closest(".thing") && close());
  const box = h("div", { class: "search", on: { keydown: (event) => event.key === "Escape" && (close(), input.blur()) } }, input, list);
  document.addEventListener("click", (event) => !box.contains(event.target) && close());
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !/INPUT|SELECT|TEXTAREA/.test(document.activeElement.tagName)) {
      event.preventDefault();
      input.focus();
    }
  });
  return box;
}

function themeButton() {
  const dark = () => (document.documentElement.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const button = h("button", { type: "button", on: { click: () => {
    document.documentElement.dataset.theme = dark() ? "light" : "dark";
    name();
    updated();
  } } });
  const name = () => (button.textContent = dark() ? "Light" : "Dark");
  name();
  return button;
}

function updated() {
  for (const panel of panels) {
    const on = panel.id === state.tab;
    panel.button.setAttribute("aria-selected", String(on));
    panel.button.tabIndex = on ? 0 : -1;
    panel.root.hidden = !on;
    if (!on) continue;
    panel.update = panel.update || panel.make(panel.root);
    panel.update();
  }
  document.body.dataset.tab = state.tab;
  for (const heard of listeners) heard();
}

function start() {
  const tabs = h("div", { role: "tablist", "aria-label": "Panels", class: "tabs" });
  const main = h("main", {});
  for (const panel of panels) {
    panel.root = h("section", { id: `panel-${panel.id}`, role: "tabpanel", "aria-labelledby": `tab-${panel.id}`, class: "panel scrolls", hidden: true });
    panel.button = h("button", { type: "button", role: "tab", id: `tab-${panel.id}`, "aria-controls": `panel-${panel.id}`, class: panel.narrow ? "narrow" : null, on: { click: () => go({ tab: panel.id }) } }, panel.title);
    tabs.append(panel.button);
    main.append(panel.root);
  }
  tabs.addEventListener("keydown", (event) => {
    const turn = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!turn) return;
    const shown = panels.filter((panel) => panel.button.offsetParent);
    const next = shown[(shown.findIndex((panel) => panel.id === state.tab) + turn + shown.length) % shown.length];
    go({ tab: next.id });
    next.button.focus();
  });
  const source = h("section", { class: "lines scrolls", "aria-label": "Source" });
  const chosen = h("aside", { class: "inspector scrolls", "aria-label": "Selection" });
  const facts = [D.device, D.profile ? `${seconds(D.profile.total)} a call` : "", dispatches.length ? plural(dispatches.length, "dispatch") : "", D.memory ? `peak ${bytes(D.memory.peak)}` : ""];
  document.getElementById("app").append(
    h("header", {}, h("h1", {}, h("bdi", {}, D.name || "graph")), h("p", { class: "quiet" }, facts.filter(Boolean).join(" · ")), searchBox(), themeButton()),
    tabs, h("div", { class: "columns" }, source, main, chosen));
  listeners.push(sourcePanel(source));
  inspector(chosen);
  addEventListener("hashchange", apply);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", updated);
  addEventListener("beforeprint", () => {
    for (const panel of panels) {
      panel.root.hidden = false;
      panel.update = panel.update || panel.make(panel.root);
      if (panel.id === "graph") panel.update();
    }
  });
  addEventListener("afterprint", updated);
  apply();
}

start();
