// {{what}}
// grid: one workgroup (one subgroup) for {{rows}} rows of one batch element, {{each}} blocks of rows each; folded into y.
// It visits the other side in steps of {{step}}: each lane holds four scores of every row.
fn weight_v4(x: vec4<f32>) -> vec4<f32> {
  return select(exp(x), x, gc_isnan_v4(x));
}

fn highest(x: f32) -> f32 {
  {{highest}}
}

fn added(x: f32) -> f32 {
  {{total}}
}

@compute @workgroup_size({{lanes}})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let block = group.x + group.y * {{columns}}u;
  if (block >= {{blocks}}u) { return; }
  let batch = block / {{each}}u;
  let first = block % {{each}}u * {{rows}}u;
{{start}}
  let end = {{end}};
  for (var next = {{begin}}; next < end; next += {{step}}u) {  // at most {{steps}} turns
{{body}}
  }
{{finish}}
}
