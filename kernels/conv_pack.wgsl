// conv_pack: an operand of a convolution with the channels of each place side by side; {{what}}
// grid: an invocation for four channels of four neighbouring elements; folded into y
@compute @workgroup_size({{size}})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * {{columns}}u) * {{size}}u + local;
  if (item >= {{items}}u) { return; }
{{body}}
}
