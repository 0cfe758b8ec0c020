// base: elements, numbers as text, and the data. All text reaches the page as text: nothing here makes HTML of it.

const D = JSON.parse(document.getElementById("data").textContent);
const T = (number) => D.texts[number];

/** An element. props: attributes; `on` holds listeners. Kids are nodes or texts. */
function h(tag, props, ...kids) {
  return filled(document.createElement(tag), props, kids);
}

/** An SVG element. */
function s(tag, props, ...kids) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), props, kids);
}

function filled(node, props, kids) {
  for (const [name, value] of Object.entries(props || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") for (const [kind, heard] of Object.entries(value)) node.addEventListener(kind, heard);
    else if (name === "style") for (const [key, to] of Object.entries(value)) node.style.setProperty(key, to);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  for (const kid of kids.flat(Infinity)) if (kid !== null && kid !== undefined && kid !== false) node.append(kid);
  return node;
}

/** A name or piece of code of the user's. */
const code = (text, props) => h("code", props, h("bdi", {}, text));

function scaled(value, units, step) {
  let n = 0;
  while (Math.abs(value) >= step && n < units.length - 1) {
    value /= step;
    n++;
  }
  const digits = value === 0 || (n === 0 && Number.isInteger(value)) ? 0 : value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)} ${units[n]}`.trim();
}

const bytes = (n) => scaled(n, ["B", "KiB", "MiB", "GiB", "TiB"], 1024);
const count = (n) => scaled(n, ["", "k", "M", "G", "T"], 1000);
const percent = (x) => (x === null || !isFinite(x) ? "" : `${(100 * x).toFixed(x < 0.1 ? 1 : 0)}%`);

function seconds(x) {
  if (x === undefined || x === null || !isFinite(x)) return "";
  return x < 1e-3 ? `${(x * 1e6).toFixed(1)} µs` : x < 1 ? `${(x * 1e3).toFixed(2)} ms` : `${x.toFixed(3)} s`;
}

const plural = (n, what) => `${n.toLocaleString("en")} ${what}${n === 1 ? "" : /(s|x|ch)$/.test(what) ? "es" : "s"}`;

/** At most `most` of many, and a button for more of them. make: gives the element of an item. */
function listed(into, items, make, most = 200) {
  let shown = 0;
  const more = h("button", { class: "more", type: "button", on: { click: () => grow() } });
  function grow() {
    more.remove();
    const next = items.slice(shown, shown + most);
    into.append(...next.map(make));
    shown += next.length;
    if (shown < items.length) {
      more.textContent = `Show more (${(items.length - shown).toLocaleString("en")} left)`;
      into.append(into.tagName === "TBODY" ? h("tr", {}, h("td", { colspan: 99 }, more)) : more);
    }
    mark(into);
  }
  grow();
  return into;
}

/** A table whose columns sort it. columns: {name, of(item) -> cell, by(item) -> what is compared, number}. */
function table(caption, columns, items, key, sorted, down = true) {
  const body = h("tbody");
  const heads = columns.map((column, n) => {
    const head = h("th", { scope: "col", class: column.number ? "number" : null });
    if (!column.by) head.append(column.name);
    else head.append(h("button", { type: "button", on: { click: () => sort(n, now === n ? !falls : column.number) } }, column.name));
    return head;
  });
  let now = -1;
  let falls = down;
  function sort(n, descending) {
    now = n;
    falls = descending;
    const by = columns[n] && columns[n].by;
    const order = by ? [...items].sort((a, b) => compare(by(a), by(b)) * (descending ? -1 : 1)) : items;
    heads.forEach((head, k) => head.setAttribute("aria-sort", k !== n ? "none" : descending ? "descending" : "ascending"));
    body.replaceChildren();
    listed(body, order, (item) =>
      h("tr", { "data-key": key ? key(item) : null }, columns.map((c, n) =>
        h(n === 0 ? "th" : "td", { scope: n === 0 ? "row" : null, class: c.number ? "number" : null }, c.of(item)))));
  }
  const found = h("table", {}, h("caption", {}, caption), h("thead", {}, h("tr", {}, heads)), body);
  sort(sorted === undefined ? -1 : sorted, down);
  return h("div", { class: "scroll" }, found);
}

function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return (isFinite(a) ? a : -1) - (isFinite(b) ? b : -1);
  return String(a).localeCompare(String(b), "en", { numeric: true });
}

/** A bar as long as a part of the whole. */
const bar = (part, colour) =>
  h("span", { class: "bar", "aria-hidden": "true" },
    h("span", { style: { width: `${Math.max(0, Math.min(1, part || 0)) * 100}%`, background: colour || "var(--accent)" } }));
