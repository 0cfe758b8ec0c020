// index_last: y[s] = one more than the last row whose index is s, 0 where there is none
// grid: ceil({{items}} / {{size}}) workgroups, folded into y; an item is a slot
@compute @workgroup_size({{size}})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let slot = (group.x + group.y * {{columns}}u) * {{size}}u + local;
  if (slot >= {{items}}u) { return; }
  var writer = 0u;
{{find}}
  {{store}}
}
