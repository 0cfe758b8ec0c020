// dynamic_update_slice: y[at] = row, one row of a stack; what stands in the others stays
// grid: ceil({{items}} / {{size}}) workgroups, folded into y; an item is one element, or one vector of 4
@compute @workgroup_size({{size}})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * {{columns}}u) * {{size}}u + local;
  if (item >= {{items}}u) { return; }
  let slot = {{slot}};
  {{store}}
}
