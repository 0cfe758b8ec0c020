// factor_fill: {{what}}, matrices of {{rows}} rows and {{width}} columns, element by element
// grid: ceil({{items}} / {{size}}) workgroups, folded into y; an item is an element
@compute @workgroup_size({{size}})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * {{columns}}u) * {{size}}u + local;
  if (item >= {{items}}u) { return; }
  let column = item % {{width}}u;
  let row = item / {{width}}u % {{rows}}u;
  let matrix = item / {{area}}u;
{{body}}
}
