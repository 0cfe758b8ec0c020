// scatter_add: y[part, o, slot_of(r), i] += updates[o, r, i] for each row r of the part that has a slot, in order.
// An invocation owns one i of one o and part, so nothing is added atomically and a run repeats to the bit.
// grid: ceil({{items}} / {{size}}) workgroups, folded into y; an item is {{lanes}} element(s) of each row of a part
@compute @workgroup_size({{size}})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * {{columns}}u) * {{size}}u + local;
  if (item >= {{items}}u) { return; }
  let i = item % {{inner}}u;
  let o = (item / {{inner}}u) % {{outer}}u;
  let part = item / {{inner_outer}}u;
  let table = (part * {{outer}}u + o) * {{table}}u + i;
{{clear}}
  let last = min((part + 1u) * {{length}}u, {{rows}}u);
  for (var r = part * {{length}}u; r < last; r++) {  // at most {{length}} turns
    let slot = slot_of(r);
    if (slot >= {{slots}}u) { continue; }
    let at = table + slot * {{inner}}u;
    let total = {{total}} + {{type}}({{load}});
    {{store}}
  }
}

fn slot_of(r: u32) -> u32 {
{{slot}}
}
