// tile_add: y[o, slot, i] takes in updates[o, r, i] for the first {{length}} rows r of each tile, in their order.
// An invocation owns one i of one o in a tile, so nothing is added atomically and a run repeats to the bit.
// grid: ceil({{items}} / {{size}}) workgroups, folded into y; an item is {{lanes}} element(s) of each row of a tile
@compute @workgroup_size({{size}})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * {{columns}}u) * {{size}}u + local;
  if (item >= {{items}}u) { return; }
  let i = item % {{inner}}u;
  let o = (item / {{inner}}u) % {{outer}}u;
  let tile = item / {{inner_outer}}u;
  let start = start_of(tile);
  let last = min(start_of(tile + 1u), start + {{length}}u);
  for (var p = start; p < last; p++) {  // at most {{length}} turns
    let r = {{row}};
    let slot = slot_of(r);
    if (slot >= {{slots}}u) { continue; }
    let at = (o * {{slots}}u + slot) * {{inner}}u + i;
    {{store}}
  }
}

fn start_of(tile: u32) -> u32 {
  if (tile >= {{tiles}}u) { return {{rows}}u; }
  return {{start}};
}

fn slot_of(r: u32) -> u32 {
{{slot}}
}
