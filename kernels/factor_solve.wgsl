// factor_solve: {{depth}} rows of x with a x = b for triangular a, where x lies in the place of b
// grid: ceil({{items}} / {{size}}) workgroups, folded into y; an item is a column, whose rows are found one by one
@compute @workgroup_size({{size}})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * {{columns}}u) * {{size}}u + local;
  if (item >= {{items}}u) { return; }
  let column = item % {{width}}u;
  let matrix = item / {{width}}u;
  for (var c = 0u; c < {{depth}}u; c++) {
    let i = {{row}};
    var total = {{own}};
    for (var d = 0u; d < c; d++) {  // at most {{depth}} turns
      let j = {{other}};
      total -= {{element}} * {{known}};
    }
    {{store}}
  }
}
