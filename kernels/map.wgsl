// map: each output element is computed from the inputs on its own; {{what}}
// grid: ceil(items / ({{size}} x {{steps}})) workgroups, folded into y; an item is {{lanes}} consecutive element(s)
@compute @workgroup_size({{size}})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let first = (group.x + group.y * {{columns}}u) * {{span}}u + {{start}};
  for (var step = 0u; step < {{steps}}u; step++) {
    let i = first + step{{stride}};
    if (i >= {{items}}u) { return; }
{{body}}
  }
}
