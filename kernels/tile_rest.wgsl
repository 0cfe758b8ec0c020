// tile_rest: rows of a tile past its first {{length}} are taken in {{length}} at a time, each time into a table of their
// own. Where such rows begin they do so at least {{length}} after others, so that a table belongs to a window of as
// many places in the order.
// grid: ceil({{items}} / {{size}}) workgroups, folded into y; an item is {{lanes}} element(s) of each row of a window
@compute @workgroup_size({{size}})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * {{columns}}u) * {{size}}u + local;
  if (item >= {{items}}u) { return; }
  let i = item % {{inner}}u;
  let o = (item / {{inner}}u) % {{outer}}u;
  let window = item / {{inner_outer}}u;
  let p = window * {{length}}u;
  let tile = slot_of({{row}}) / {{tile}}u;
  let start = start_of(tile);
  let chunk = (p - start + {{length}}u - 1u) / {{length}}u;
  let first = start + chunk * {{length}}u;
  let last = min(start_of(tile + 1u), first + {{length}}u);
  if (chunk == 0u || first >= last) { return; }
  let table = (window * {{outer}}u + o) * {{table}}u + i;
  for (var slot = 0u; slot < {{tile}}u; slot++) {
    {{clear}}
  }
  for (var p = first; p < last; p++) {  // at most {{length}} turns
    let r = {{row}};
    let slot = slot_of(r);
    if (slot >= {{slots}}u) { continue; }
    let at = table + (slot - tile * {{tile}}u) * {{inner}}u;
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
