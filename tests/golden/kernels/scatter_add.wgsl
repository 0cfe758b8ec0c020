// scatter_add: workgroups [(1, 1, 1)], binds read, read, read_write
@group(0) @binding(0) var<storage, read> x0: array<i32>;
@group(0) @binding(1) var<storage, read> x1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y0: array<vec4<f32>>;

// scatter_add: y[part, o, slot_of(r), i] += updates[o, r, i] for each row r of the part that has a slot, in order.
// An invocation owns one i of one o and part, so nothing is added atomically and a run repeats to the bit.
// grid: ceil(2 / 64) workgroups, folded into y; an item is 4 element(s) of each row of a part
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * 1u) * 64u + local;
  if (item >= 2u) { return; }
  let i = item % 2u;
  let o = (item / 2u) % 1u;
  let part = item / 2u;
  let table = (part * 1u + o) * 100u + i;
  for (var slot = 0u; slot < 50u; slot++) { y0[table + slot * 2u] = vec4<f32>(); }
  let last = min((part + 1u) * 300u, 300u);
  for (var r = part * 300u; r < last; r++) {  // at most 300 turns
    let slot = slot_of(r);
    if (slot >= 50u) { continue; }
    let at = table + slot * 2u;
    let total = y0[at] + vec4<f32>(x1[(o * 300u + r) * 2u + i]);
    y0[at] = total;
  }
}

fn slot_of(r: u32) -> u32 {
  let id = x0[r];
  return min(u32(select(id, id + 50, id < 0)), 50u);
}
