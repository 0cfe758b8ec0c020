// row: {{what}}; {{rows}} rows of {{length}} elements, reduced along the row
// grid: a workgroup for {{each}} row(s), each of them shared by {{lanes}} invocation(s); folded into y; needs: {{needs}}
{{shared}}@compute @workgroup_size({{size}})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let row = {{row}};
  let lane = {{lane}};
  if ({{outside}}) { return; }
{{body}}
}
