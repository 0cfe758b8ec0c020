// source: the user's lines with what each costs. Lines that kernels come from are buttons.

const WORDS = new Set(("and as assert async await break class continue def del elif else except finally for from global if import in is " +
  "lambda None nonlocal not or pass raise return True False try while with yield").split(" "));

/** Pieces of code, some of them coloured. pattern: groups comment, string, number, word. */
function coloured(text, pattern, words) {
  const pieces = [];
  let at = 0;
  for (const found of text.matchAll(pattern)) {
    const { comment, string, number, word } = found.groups;
    const kind = comment ? "comment" : string ? "string" : number ? "number" : words(word);
    if (!kind) continue;
    if (found.index > at) pieces.push(text.slice(at, found.index));
    pieces.push(h("span", { class: `c-${kind}` }, found[0]));
    at = found.index + found[0].length;
  }
  if (at < text.length) pieces.push(text.slice(at));
  return pieces;
}

const PYTHON = /(?<comment>#.*)|(?<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?<number>\b\d[\w.]*)|(?<word>[A-Za-z_]\w*)/g;
const python = (text) => coloured(text, PYTHON, (word) => (WORDS.has(word) ? "keyword" : null));

function sourcePanel(root) {
  const byPlace = new Map();
  D.lines.forEach(([file, number], line) => byPlace.set(`${file}:${number}`, line));
  const known = M.lineCost.filter(Boolean);
  const most = Math.max(...known.map((c) => (profiled ? c.seconds : c.bytes)), 1e-30);
  if (!D.files.length) root.append(h("p", { class: "quiet" }, "No line of a source file is known."));
  D.files.forEach((file, f) => {
    const body = h("tbody");
    let last = file.lines.length ? file.lines[0][0] - 1 : 0;
    for (const [number, text] of file.lines) {
      if (number !== last + 1) body.append(h("tr", { class: "gap" }, h("td", { colspan: 4 }, "⋯")));
      last = number;
      const line = byPlace.get(`${f}:${number}`);
      const cost = line === undefined ? null : M.lineCost[line];
      const value = cost ? (profiled ? cost.seconds : cost.bytes) : 0;
      const what = h("bdi", {}, python(text));
      body.append(h("tr", { "data-key": line === undefined ? null : keyOf("line", line) },
        h("td", { class: "number quiet" }, String(number)),
        h("td", { class: "number" }, cost ? (profiled ? seconds(cost.seconds) : "") : ""),
        h("td", { class: "number", title: cost ? `${plural(cost.launches.size, "kernel launch")}, ${bytes(cost.bytes)} moved` : null },
          cost ? bytes(cost.bytes) : "", cost ? bar(value / most) : null),
        h("td", { class: "line" }, line === undefined ? h("code", {}, what)
          : h("button", { type: "button", class: "code", on: { click: () => choose("line", line) } }, h("code", {}, what)))));
    }
    root.append(h("table", { class: "source" }, h("caption", {}, h("bdi", {}, file.name)),
      h("thead", {}, h("tr", {}, ["line", "time", "moved", "source"].map((name) => h("th", { scope: "col" }, name)))), body));
  });
  let shown = null;
  return () => {
    mark(root);
    const first = state.found.line[0];
    if (first === undefined || (state.thing.type === "line" && shown === first)) return;
    shown = first;
    const node = root.querySelector(`tr[data-key="line:${first}"]`);
    if (node && root.offsetParent) scrollInto(root.closest(".scrolls") || root, node);
  };
}

/** Scroll a part of the page, and nothing else, so that a node in it is seen. */
function scrollInto(box, node) {
  const outer = box.getBoundingClientRect();
  const inner = node.getBoundingClientRect();
  if (inner.top < outer.top + 40 || inner.bottom > outer.bottom) box.scrollTop += inner.top - outer.top - outer.height / 3;
}
