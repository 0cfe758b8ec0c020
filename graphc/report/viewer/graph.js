// graph: the program of any stage, drawn on a canvas. What does the same (as in layers) is one box until it is opened.

const MANY = 60; // boxes from which on what does the same is folded
const READABLE = 0.6; // how large a graph is drawn at least when it is first shown
const FEW_LEAVES = 150; // boxes up to which arguments are drawn

function stageRows(n) {
  while (n > 0 && !D.stages[n].rows) n--;
  return D.stages[n];
}

const widths = new Map();
function sizeOf(type) {
  if (widths.has(type)) return widths.get(type);
  const found = /^([a-z]+)(\d*)\[([\d,]*)\]/.exec(T(type));
  const items = found ? found[3].split(",").filter(Boolean).reduce((a, b) => a * Number(b), 1) : 1;
  const size = found ? items * (Number(found[2] || 32) / 8) : 0;
  widths.set(type, size);
  return size;
}

/** The boxes of a stage. opened: classes and rows with a body that are not one box. */
function boxesOf(stage, fold, opened, withLeaves) {
  const alias = new Map();
  const shown = [];
  (function add(rows) {
    for (const r of rows) {
      const body = row.body(r);
      if (!body || !opened.has(`row:${r}`)) {
        shown.push(r);
        continue;
      }
      body[1].forEach((inner, n) => inner !== row.inputs(r)[n] && alias.set(inner, row.inputs(r)[n]));
      add(body[0]);
      body[2].forEach((inner, n) => inner !== row.outputs(r)[n] && alias.set(row.outputs(r)[n], inner));
    }
  })(stage.rows);
  const real = (v) => {
    for (let turns = 0; alias.has(v) && turns < 99; turns++) v = alias.get(v);
    return v;
  };
  const many = fold && shown.length > MANY;
  const byClass = new Map();
  const boxes = [];
  const maker = new Map();
  for (const r of shown) {
    const like = D.alike[r];
    const key = many && !opened.has(`like:${like}`) ? like : `row ${r}`;
    let n = byClass.get(key);
    if (n === undefined) {
      n = boxes.length;
      byClass.set(key, n);
      boxes.push({ rows: [], ins: [], weight: new Map(), kind: row.kind(r), colour: row.colour(r), phase: row.phase(r), like, leaf: false });
    }
    boxes[n].rows.push(r);
    for (const v of row.outputs(r)) maker.set(v, n);
  }
  const results = new Set(stage.outputs.map(real));
  const leafBoxes = [];
  boxes.forEach((box, n) => {
    const read = new Set();
    for (const r of box.rows) {
      for (const given of row.inputs(r)) {
        const v = real(given);
        const from = maker.get(v);
        if (from === undefined) read.add(v);
        else if (from !== n) box.weight.set(from, (box.weight.get(from) || 0) + sizeOf(D.types[v]));
      }
      if (row.outputs(r).some((v) => results.has(v))) box.result = true;
    }
    box.text = boxText(box);
    if (withLeaves && read.size && boxes.length <= FEW_LEAVES) leafBoxes.push([n, [...read]]);
  });
  for (const [n, values] of leafBoxes) {
    const names = values.map(valueName);
    const argument = values.some((v) => !D.constants[v]);
    const kind = argument ? "input" : "constant";
    boxes[n].weight.set(boxes.length, values.reduce((sum, v) => sum + sizeOf(D.types[v]), 0));
    const text = [names.length > 2 ? `${names[0]}, … ${names.length} in all` : names.join(", "), values.length === 1 ? T(D.types[values[0]]) : ""];
    boxes.push({ rows: [], ins: [], weight: new Map(), kind, colour: D.kinds.find(([name]) => name === kind)[1], phase: "", leaf: true, text: text.filter(Boolean), names });
  }
  for (const box of boxes) box.ins = [...box.weight.keys()];
  return boxes;
}

function boxText(box) {
  const r = box.rows[0];
  const times = box.rows.length > 1 ? ` × ${box.rows.length}` : "";
  const where = [...new Set(box.rows.flatMap((one) => row.lines(one)))];
  const place = where.length ? lineName(where[0]) + (where.length > 1 ? ` +${where.length - 1}` : "") : "";
  const body = row.body(r);
  const spent = box.rows.reduce((sum, one) => sum + timeOfRow(one), 0);
  const last = [place, spent ? seconds(spent) : ""].filter(Boolean).join(" · ");
  if (!body) return [`${row.op(r)}${times}`, T(D.types[row.outputs(r)[0]]), last];
  const names = new Map();
  for (const inner of leaves(body[0])) names.set(row.op(inner), (names.get(row.op(inner)) || 0) + 1);
  const ops = [...names].map(([name, n]) => (n > 1 ? `${n} ${name}` : name)).join(", ");
  return [`${row.loop(r) ? "loop" : box.kind}${times}`, ops, last];
}

function timeOfRow(r) {
  let sum = 0;
  for (const leaf of leaves([r])) sum += (M.share.get(row.outputs(leaf)[0]) || { seconds: 0 }).seconds;
  return sum;
}

function graphPanel(root) {
  const opened = new Set();
  let fold = true;
  let boxes = [];
  let view = { x: 0, y: 0, k: 1 };
  let drawn = -1;
  let focus = -1;
  const canvas = h("canvas", { tabindex: 0, role: "application", "aria-describedby": "graph-help",
    "aria-label": "Graph. Arrow keys go from box to box, Enter opens or folds one, plus and minus zoom, 0 shows all." });
  const stages = h("select", { "aria-label": "Stage", on: { change: () => go({ stage: Number(stages.value) }) } },
    D.stages.map((stage, n) => (stage.rows ? h("option", { value: n }, `${n}: ${T(stage.name)} (${stage.rows.length})`) : null)));
  const folded = h("input", { type: "checkbox", checked: true, on: { change: () => { fold = folded.checked; opened.clear(); rebuild(); } } });
  const open = h("button", { type: "button", on: { click: () => toggle(focus) } }, "Open");
  const about = h("p", { class: "quiet", id: "graph-help", "aria-live": "polite" });
  const button = (text, label, act) => h("button", { type: "button", "aria-label": label, title: label, on: { click: act } }, text);
  root.append(
    h("div", { class: "bar-row" }, h("label", {}, "Stage ", stages), h("label", {}, folded, " fold what does the same"), open,
      button("+", "Zoom in", () => zoom(1.3)), button("−", "Zoom out", () => zoom(1 / 1.3)), button("Fit", "Show all", () => fit())),
    h("div", { class: "canvas" }, canvas), about, legend());
  const context = canvas.getContext("2d");

  function rebuild() {
    const stage = stageRows(state.stage);
    boxes = boxesOf(stage, fold, opened, true);
    context.font = "12px system-ui, sans-serif";
    for (const box of boxes) {
      const wide = boxes.length > 2000 ? 120 : Math.max(...box.text.map((text) => context.measureText(text).width));
      box.w = Math.min(230, Math.max(70, wide + 16));
      box.h = 8 + 15 * box.text.filter(Boolean).length;
    }
    layOut(boxes);
    drawn = state.stage;
    about.textContent = `${plural(boxes.filter((b) => !b.leaf).length, "box")} for ${plural(stage.rows.length, "node")}. ` +
      "Drag to move, turn the wheel to zoom, click to select; Open shows the members of a folded box, or the ops of a kernel.";
    find();
    fit();
    if (view.k < READABLE && boxes.length < 2000) {
      const first = boxes.reduce((a, b) => (b.y < a.y ? b : a), boxes[0]);
      zoom(READABLE / view.k, canvas.clientWidth / 2, 15);
      view.x = canvas.clientWidth / 2 - view.k * first.x;
      draw();
    }
  }

  function find() {
    const found = state.found;
    const ops = new Set(found.op);
    const wanted = new Set(found.launch);
    focus = -1;
    boxes.forEach((box, n) => {
      box.on = box.rows.some((r) => {
        const v = row.outputs(r)[0];
        if (!row.body(r)) return ops.has(v);
        return state.thing && state.thing.type !== "op" && state.thing.type !== "line" ? wanted.has(M.launchOf.get(v)) : [...leaves([r])].some((one) => ops.has(row.outputs(one)[0]));
      });
      if (box.on && focus < 0) focus = n;
    });
    const box = boxes[focus];
    open.disabled = !box || !(box.rows.length > 1 || row.body(box.rows[0]));
    open.textContent = box && box.rows.length > 1 ? `Open × ${box.rows.length}` : "Open";
  }

  function toggle(n) {
    const box = boxes[n];
    if (!box || box.leaf) return;
    if (box.rows.length > 1) opened.add(`like:${box.like}`);
    else if (row.body(box.rows[0])) opened.add(`row:${box.rows[0]}`);
    else return;
    rebuild();
    if (focus >= 0) centre(boxes[focus], 1);
    draw();
  }

  function select(n) {
    const box = boxes[n];
    if (!box || box.leaf) return;
    const r = box.rows[0];
    const v = row.outputs(r)[0];
    if (row.body(r) && M.launchOf.has(v)) choose("launch", M.launchOf.get(v));
    else if (M.rowOf.has(v)) choose("op", v);
  }

  function fit() {
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (!boxes.length || !width) return;
    let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
    for (const box of boxes) {
      left = Math.min(left, box.x - box.w / 2);
      right = Math.max(right, box.x + box.w / 2);
      top = Math.min(top, box.y - box.h / 2);
      bottom = Math.max(bottom, box.y + box.h / 2);
    }
    const k = Math.min(1.2, (width - 30) / (right - left), (height - 30) / (bottom - top));
    view = { k, x: width / 2 - (k * (left + right)) / 2, y: height / 2 - (k * (top + bottom)) / 2 };
    draw();
  }

  function centre(box, k) {
    view.k = Math.max(view.k, k || 0.6);
    view.x = canvas.clientWidth / 2 - view.k * box.x;
    view.y = canvas.clientHeight / 2 - view.k * box.y;
  }

  function zoom(by, px = canvas.clientWidth / 2, py = canvas.clientHeight / 2) {
    const k = Math.min(4, Math.max(0.005, view.k * by));
    view.x = px - ((px - view.x) * k) / view.k;
    view.y = py - ((py - view.y) * k) / view.k;
    view.k = k;
    draw();
  }

  let waiting = false;
  function draw() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      paint(context, canvas, boxes, view, focus);
    });
  }

  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const hit = (px, py) => {
    const [x, y] = [(px - view.x) / view.k, (py - view.y) / view.k];
    return boxes.findIndex((b) => Math.abs(x - b.x) <= b.w / 2 && Math.abs(y - b.y) <= b.h / 2);
  };
  let drag = null;
  canvas.addEventListener("pointerdown", (event) => {
    drag = { from: at(event), x: view.x, y: view.y, far: false };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = at(event);
    if (!drag) {
      const n = hit(x, y);
      canvas.title = n < 0 ? "" : (boxes[n].names || boxes[n].text).join("\n").slice(0, 400);
      return;
    }
    drag.far = drag.far || Math.hypot(x - drag.from[0], y - drag.from[1]) > 4;
    if (!drag.far) return;
    view.x = drag.x + x - drag.from[0];
    view.y = drag.y + y - drag.from[1];
    draw();
  });
  canvas.addEventListener("pointerup", (event) => {
    const clicked = drag && !drag.far;
    drag = null;
    if (clicked) select(hit(...at(event)));
  });
  canvas.addEventListener("dblclick", (event) => toggle(hit(...at(event))));
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(Math.exp(-event.deltaY / 500), ...at(event));
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const moves = {
      "+": () => zoom(1.3), "=": () => zoom(1.3), "-": () => zoom(1 / 1.3), 0: () => fit(), Enter: () => toggle(focus),
      ArrowDown: () => step((n) => boxes.findIndex((b) => !b.leaf && b.ins.includes(n))),
      ArrowUp: () => step((n) => boxes[n].ins.find((m) => !boxes[m].leaf) ?? -1),
      ArrowRight: () => step((n) => boxes.findIndex((b, m) => m > n && !b.leaf)),
      ArrowLeft: () => step((n) => boxes.findLastIndex((b, m) => m < n && !b.leaf)),
    };
    if (!moves[event.key]) return;
    event.preventDefault();
    moves[event.key]();
  });
  function step(next) {
    select(focus < 0 ? 0 : next(focus));
  }
  new ResizeObserver(() => draw()).observe(canvas);

  return () => {
    stages.value = String(D.stages.indexOf(stageRows(state.stage)));
    if (drawn !== state.stage) rebuild();
    find();
    const box = boxes[focus];
    if (box) {
      const [x, y] = [box.x * view.k + view.x, box.y * view.k + view.y];
      if (x < 20 || y < 20 || x > canvas.clientWidth - 20 || y > canvas.clientHeight - 20 || view.k < 0.3) centre(box);
    }
    draw();
  };
}

function paint(context, canvas, boxes, view, focus) {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const dense = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (canvas.width !== width * dense || canvas.height !== height * dense) {
    canvas.width = width * dense;
    canvas.height = height * dense;
  }
  context.setTransform(dense, 0, 0, dense, 0, 0);
  context.clearRect(0, 0, width, height);
  context.translate(view.x, view.y);
  context.scale(view.k, view.k);
  const [left, top] = [-view.x / view.k, -view.y / view.k];
  const [right, bottom] = [left + width / view.k, top + height / view.k];
  const seen = (b) => b.x + b.w / 2 >= left && b.x - b.w / 2 <= right && b.y + b.h / 2 >= top && b.y - b.h / 2 <= bottom;
  const detailed = view.k > 0.35;
  boxes.forEach((to, n) => {
    for (const [from, moved] of to.weight) {
      const a = boxes[from];
      if (Math.max(a.y, to.y) < top || Math.min(a.y, to.y) > bottom || Math.max(a.x, to.x) < left || Math.min(a.x, to.x) > right) continue;
      const on = a.on || to.on;
      context.strokeStyle = on ? colour("--accent") : colour("--edge");
      context.globalAlpha = on ? 0.9 : 0.55;
      context.lineWidth = Math.min(7, 0.6 + Math.log10(1 + moved / 1024) / 1.2) / Math.max(view.k, 0.25) * Math.min(1, view.k + 0.2);
      context.setLineDash(from > n && !a.leaf ? [6, 4] : []);
      context.beginPath();
      const [y0, y1] = [a.y + a.h / 2, to.y - to.h / 2];
      context.moveTo(a.x, y0);
      const bend = Math.max(20, Math.min(90, Math.abs(y1 - y0) / 2));
      context.bezierCurveTo(a.x, y0 + bend, to.x, y1 - bend, to.x, y1);
      context.stroke();
    }
  });
  context.globalAlpha = 1;
  context.setLineDash([]);
  context.textAlign = "center";
  context.textBaseline = "middle";
  boxes.forEach((box, n) => {
    if (!seen(box)) return;
    context.beginPath();
    context.roundRect(box.x - box.w / 2, box.y - box.h / 2, box.w, box.h, box.leaf ? box.h / 2 : 5);
    context.fillStyle = colour("--paper");
    context.fill();
    context.globalAlpha = box.leaf ? 0.15 : 0.3;
    context.fillStyle = box.colour;
    context.fill();
    context.globalAlpha = 1;
    context.strokeStyle = box.on ? colour("--accent") : box.colour;
    context.lineWidth = (n === focus ? 4 : box.on ? 3 : box.result ? 2.5 : 1) / Math.max(0.3, Math.min(1, view.k));
    context.setLineDash(box.phase === "backward" ? [5, 3] : box.phase === "update" ? [2, 2] : []);
    context.stroke();
    context.setLineDash([]);
    if (!detailed) return;
    const lines = box.text.filter(Boolean);
    lines.forEach((text, k) => {
      context.font = `${k === 0 ? "600 " : ""}12px system-ui, sans-serif`;
      context.fillStyle = k === 0 ? colour("--ink") : colour("--quiet");
      context.fillText(fitting(context, text, box.w - 12), box.x, box.y + (k - (lines.length - 1) / 2) * 15);
    });
  });
}

/** As much of a text as is that wide. */
function fitting(context, text, width) {
  if (context.measureText(text).width <= width) return text;
  let [low, high] = [0, text.length];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (context.measureText(`${text.slice(0, middle)}…`).width <= width) low = middle;
    else high = middle - 1;
  }
  return `${text.slice(0, low)}…`;
}

function legend() {
  const used = new Set(D.rows.map((r) => r[5]));
  return h("p", { class: "legend" }, D.kinds.map(([name, colour], n) => (used.has(n) || n < 1 ? h("span", {}, h("i", { style: { background: colour } }), name) : null)),
    h("span", {}, "border: solid forward, dashed backward, dotted update"));
}
