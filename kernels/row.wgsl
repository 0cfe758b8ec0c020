// row: {{what}}; {{rows}} rows of {{length}} elements, reduced along the row
// grid: {{per}}, folded into y; needs: {{needs}}
{{shared}}@compute @workgroup_size({{size}})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = {{row}};
  if (row >= {{rows}}u) { return; }
{{body}}
}
