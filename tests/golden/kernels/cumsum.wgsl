// cumsum: workgroups [(1, 1, 1)], binds read, read_write
@group(0) @binding(0) var<storage, read> x0: array<f32>;
@group(0) @binding(1) var<storage, read_write> y0: array<f32>;

// cumsum: y[o, t, i] = sum of x[o, u, i] over u <= t; a line (o, i) is scanned in 1 part(s) of 70.
// Each invocation scans one part of one line, on top of the sum of the parts before it.
// grid: ceil(7 / 64) workgroups, folded into y; an item is a part of a line, neighbours differ in i
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * 1u) * 64u + local;
  if (item >= 7u) { return; }
  let i = item % 1u;
  let part = (item / 1u) % 1u;
  let line = item / 1u * 70u + i;
  var before = f32();

  var total = f32();
  let last = min((part + 1u) * 70u, 70u);
  for (var t = part * 70u; t < last; t++) {  // at most 70 turns
    let at = line + t * 1u;
    total += f32(x0[at]);
    y0[at] = (before + total);
  }
}
