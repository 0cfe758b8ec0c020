// factor_update: y[i, j] -= sum over {{depth}} k of p[i, k] q[k, j], for {{rows}} rows and {{width}} columns of matrices
// grid: ceil({{items}} / {{size}}) workgroups, folded into y; an item is an element
@compute @workgroup_size({{size}})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * {{columns}}u) * {{size}}u + local;
  if (item >= {{items}}u) { return; }
  let j = item % {{width}}u;
  let i = item / {{width}}u % {{rows}}u;
  let matrix = item / {{area}}u;
  if ({{outside}}) { return; }
  var total = {{type}}();
  for (var k = 0u; k < {{depth}}u; k++) { total += {{left}} * {{right}}; }
  {{store}}
}
