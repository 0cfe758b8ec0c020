// layout: boxes in ranks, so that what flows goes down; quick enough for ten thousands of them.

const GAP = { x: 18, y: 44, row: 16 };
const WIDEST = 28; // boxes side by side; a rank of more has several rows
const SWEEPS = 6;

/** Give each box x, y (of its middle). boxes: {w, h, ins: [numbers of boxes], back: those of `ins` that come later}. */
function layOut(boxes) {
  const outs = boxes.map(() => []);
  boxes.forEach((box, n) => box.ins.forEach((from) => from !== n && outs[from].push(n)));
  const rank = ranks(boxes, outs);
  const rows = [];
  rank.forEach((at, n) => (rows[at] = rows[at] || []).push(n));
  for (let n = 0; n < rows.length; n++) rows[n] = rows[n] || [];
  const x = new Float64Array(boxes.length);
  for (const row of rows) place(row, boxes, x, (n) => x[n]);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const down = sweep % 2 === 0;
    const order = down ? rows : [...rows].reverse();
    for (const row of order) {
      const wanted = new Map(row.map((n) => [n, mean(down ? boxes[n].ins : outs[n], x, x[n])]));
      row.sort((a, b) => wanted.get(a) - wanted.get(b) || a - b);
      place(row, boxes, x, (n) => wanted.get(n));
    }
  }
  let y = 0;
  for (const row of rows) {
    for (let start = 0; start < row.length; start += WIDEST) {
      const part = row.slice(start, start + WIDEST);
      if (row.length > WIDEST) place(part, boxes, x, () => 0);
      const tall = Math.max(...part.map((n) => boxes[n].h));
      for (const n of part) {
        boxes[n].x = x[n];
        boxes[n].y = y + tall / 2;
      }
      y += tall + (start + WIDEST < row.length ? GAP.row : GAP.y);
    }
  }
}

/** The rank of each box: below all that it reads; leaves stand just above their first reader. */
function ranks(boxes, outs) {
  const rank = new Int32Array(boxes.length);
  boxes.forEach((box, n) => {
    if (box.leaf) return;
    for (const from of box.ins) if (from < n || boxes[from].leaf) rank[n] = Math.max(rank[n], boxes[from].leaf ? 1 : rank[from] + 1);
  });
  boxes.forEach((box, n) => {
    if (box.leaf) rank[n] = Math.max(0, Math.min(...outs[n].map((to) => rank[to])) - 1);
  });
  return rank;
}

function mean(others, x, instead) {
  if (!others.length) return instead;
  let sum = 0;
  for (const n of others) sum += x[n];
  return sum / others.length;
}

/** Put boxes side by side in their order, each as near to where it is wanted as those before it allow. */
function place(row, boxes, x, wanted) {
  if (!row.length) return;
  let edge = -Infinity;
  let off = 0;
  for (const n of row) {
    const at = Math.max(wanted(n), edge + GAP.x + boxes[n].w / 2);
    off += at - wanted(n);
    x[n] = at;
    edge = at + boxes[n].w / 2;
  }
  // All moved right to make room: half of it goes back.
  const back = off / row.length;
  for (const n of row) x[n] -= back;
}
