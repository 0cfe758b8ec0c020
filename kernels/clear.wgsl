// clear: y[i] = 0
// grid: ceil({{items}} / {{size}}) workgroups, folded into y; an item is {{steps}} times {{lanes}} consecutive element(s)
@compute @workgroup_size({{size}})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * {{columns}}u) * {{size}}u + local;
  for (var step = 0u; step < {{steps}}u; step++) {
    let i = {{at}};
    if (i >= {{all}}u) { return; }
    {{store}}
  }
}
