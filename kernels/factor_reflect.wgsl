// factor_reflect: {{count}} reflections of columns of {{m}} elements, in their place
// grid: a workgroup for each of {{items}} columns, folded into y
var<workgroup> parts: array<{{type}}, {{size}}>;

@compute @workgroup_size({{size}})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = group.x + group.y * {{columns}}u;
  if (item >= {{items}}u) { return; }
  let matrix = item / {{width}}u;
  let k = {{start}}u + item % {{width}}u;
  for (var c = 0u; c < {{count}}u; c++) {
    let j = {{which}};
    var sum = {{type}}();
    for (var i = j + 1u + local; i < {{m}}u; i += {{size}}u) {  // at most {{turns}} turns
      sum += {{vector}} * {{own}};
    }
    parts[local] = sum;
    for (var half = {{size}}u / 2u; half > 0u; half /= 2u) {  // at most {{halvings}} turns
      workgroupBarrier();
      if (local < half) { parts[local] += parts[local + half]; }
    }
    workgroupBarrier();
    let total = {{share}} * (parts[0] + {{top}});
    storageBarrier();
    if (local == 0u) { {{store_top}} }
    for (var i = j + 1u + local; i < {{m}}u; i += {{size}}u) {  // at most {{turns}} turns
      {{store_own}}
    }
    storageBarrier();
  }
}
