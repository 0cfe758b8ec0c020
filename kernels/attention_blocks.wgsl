// {{what}}
// grid: one workgroup for {{rows}} rows of one batch element, {{each}} blocks of rows each, {{order}}; folded into y.
// It visits the other side in steps of {{step}} columns. Each of its {{groups}} bands of {{lanes}} lanes holds the scores of
// {{own}} rows, {{groups}} apart, at {{wide}} columns a lane, {{lanes}} apart. What is multiplied goes through workgroup memory,
// {{depth}} vectors of each row and column at a time: first the operands of the scores, then weights and what they weigh.
// Neighbours lie in different banks: place p of plane c is p ^ c, of a factor that spreads few planes over eight banks.
var<workgroup> of_rows: array<array<array<vec4<f32>, {{groups}}>, {{own}}>, {{depth}}>;
var<workgroup> of_columns: array<array<array<vec4<f32>, {{lanes}}>, {{wide}}>, {{depth}}>;

fn weight_v4(x: vec4<f32>) -> vec4<f32> {
  return select(exp(x), x, gc_isnan_v4(x));
}

@compute @workgroup_size({{size}})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let block = group.x + group.y * {{columns}}u;
  if (block >= {{blocks}}u) { return; }
  let batch = {{batch}};
  let first = {{number}} * {{rows}}u;
  let lane = local % {{lanes}}u;
  let band = local / {{lanes}}u;
{{start}}
  let end = {{end}};
  for (var next = {{begin}}; next < end; next += {{step}}u) {  // at most {{steps}} turns
{{body}}
  }
{{finish}}
}
