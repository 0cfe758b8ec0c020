// index_update: y[o, s, i] = values[o, r, i] for the last row r whose index is s, else x[o, s, i]
// grid: ceil({{items}} / {{size}}) workgroups, folded into y; an item is {{lanes}} element(s)
@compute @workgroup_size({{size}})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * {{columns}}u) * {{size}}u + local;
  if (item >= {{items}}u) { return; }
  let i = item % {{inner}}u;
  let slot = (item / {{inner}}u) % {{slots}}u;
  let first_row = item / {{table}}u * {{rows}}u;
  var writer = 0u;  // one more than the last row that writes here
{{find}}
  if (writer > 0u) {
    {{store_value}}
  } else {
    {{store_old}}
  }
}
{{functions}}
