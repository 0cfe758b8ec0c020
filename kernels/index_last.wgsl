// index_last: y[part, s] = one more than the last row of the part whose index is s, 0 where there is none
// grid: ceil({{items}} / {{size}}) workgroups, folded into y; an item is a part, {{length}} rows, its table cleared before
@compute @workgroup_size({{size}})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let part = (group.x + group.y * {{columns}}u) * {{size}}u + local;
  if (part >= {{items}}u) { return; }
  let last = min((part + 1u) * {{length}}u, {{rows}}u);
  for (var r = part * {{length}}u; r < last; r++) {  // at most {{length}} turns
    let slot = slot_of(r);
    if (slot >= {{slots}}u) { continue; }
    let at = part * {{slots}}u + slot;
    {{store}}
  }
}

fn slot_of(r: u32) -> u32 {
{{slot}}
}
