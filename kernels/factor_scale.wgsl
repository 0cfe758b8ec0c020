// factor_scale: the exponent, in its bits, of the largest of the {{area}} elements of each {{what}}
// grid: a workgroup for each {{what}}, {{items}} of them, folded into y
var<workgroup> found: array<u32, {{size}}>;

@compute @workgroup_size({{size}})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = group.x + group.y * {{columns}}u;
  if (item >= {{items}}u) { return; }
  var most = 0u;
  for (var e = local; e < {{area}}u; e += {{size}}u) {  // at most {{turns}} turns
    let element = {{element}};
    most = max(most, {{exponent}});
  }
  found[local] = most;
  for (var half = {{size}}u / 2u; half > 0u; half /= 2u) {  // at most {{halvings}} turns
    workgroupBarrier();
    if (local < half) { found[local] = max(found[local], found[local + half]); }
  }
  workgroupBarrier();
  if (local == 0u) { {{store}} }
}
