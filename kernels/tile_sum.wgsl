// tile_sum: y takes in the tables that tile_rest made for a tile, {{group}} at a time.
// grid: ceil({{items}} / {{size}}) workgroups, folded into y; {{lanes}} items for each o of a window, of which those of
// the first window of a tile have something to do
@compute @workgroup_size({{size}})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * {{columns}}u) * {{size}}u + local;
  if (item >= {{items}}u) { return; }
  let o = (item / {{lanes}}u) % {{outer}}u;
  let window = item / {{lanes_outer}}u;
  let p = window * {{length}}u;
  let tile = slot_of({{row}}) / {{tile}}u;
  let start = start_of(tile);
  let stop = start_of(tile + 1u);
  if ((p - start + {{length}}u - 1u) / {{length}}u != 1u || start + {{length}}u >= stop) { return; }
  let tables = (stop - start - 1u) / {{length}}u;
  let before = tile * {{table}}u;
  let elements = min({{table}}u, {{slots_inner}}u - before);
  for (var e = item % {{lanes}}u; e < elements; e += {{lanes}}u) {  // at most {{each}} turns
    let at = o * {{slots_inner}}u + before + e;
    var total = {{total}};
    for (var first = 0u; first < tables; first += {{group}}u) {  // at most {{groups}} turns
      var some = {{type}}();
      let last = min(first + {{group}}u, tables);
      for (var k = first; k < last; k++) {  // at most {{group}} turns
        some = {{join_some}};
      }
      total = {{join_total}};
    }
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
