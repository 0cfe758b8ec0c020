// clear: y[i] = 0
// grid: ceil({{items}} / {{size}}) workgroups, folded into y; an item is {{lanes}} consecutive element(s)
@compute @workgroup_size({{size}})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let i = (group.x + group.y * {{columns}}u) * {{size}}u + local;
  if (i < {{items}}u) { {{store}} }
}
