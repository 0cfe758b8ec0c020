// factor_lengths: the length of each row of {{length}} elements
// grid: ceil({{items}} / {{size}}) workgroups, folded into y; an item is a row
@compute @workgroup_size({{size}})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * {{columns}}u) * {{size}}u + local;
  if (item >= {{items}}u) { return; }
  var total = vec3<{{type}}>();
  for (var i = 0u; i < {{length}}u; i++) {
    total += square_of({{element}});
  }
  {{store}}
}

{{lengths}}
