// scatter_links: chains the rows of each part that have one index: heads[part, slot] is its first row, links[r] the
// next row after r, {{rows}} where there is none. heads is cleared before (scatter_clear).
// grid: ceil({{items}} / {{size}}) workgroups, folded into y; an item is a row
@compute @workgroup_size({{size}})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let row = (group.x + group.y * {{columns}}u) * {{size}}u + local;
  if (row >= {{items}}u) { return; }
  let part = row / {{length}}u;
  let first = part * {{length}}u;
  let last = min(first + {{length}}u, {{rows}}u);
  let id = slot_of(row);
  var next = row + 1u;
  while (next < last) {
    if (slot_of(next) == id) { break; }
    next++;
  }
  {{store_link}}
  var previous = row;
  while (previous > first) {
    if (slot_of(previous - 1u) == id) { break; }
    previous--;
  }
  if (previous == first) {
    {{store_head}}
  }
}

fn slot_of(r: u32) -> u32 {
{{slot}}
}
