// factor_cholesky: columns {{first}} to {{end}} of the Cholesky factor of matrices of {{n}} rows, in their place
// grid: a workgroup for each of {{items}} matrices, folded into y
@compute @workgroup_size({{size}})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let matrix = group.x + group.y * {{columns}}u;
  if (matrix >= {{items}}u) { return; }
  for (var c = 0u; c < {{count}}u; c++) {
    let j = {{first}}u + c;
    let top = {{top}};
    let root = select({{nan}}, sqrt(top), top > {{type}}(0.0));
    storageBarrier();
    for (var i = j + local; i < {{n}}u; i += {{size}}u) {  // at most {{turns}} turns
      let known = {{below}};
      let below = select(known / root, root, i == j);
      {{store_below}}
    }
    storageBarrier();
    let width = {{end}}u - j - 1u;
    let count = ({{n}}u - j - 1u) * width;
    for (var e = local; e < count; e += {{size}}u) {  // at most {{updates}} turns
      let i = j + 1u + e / width;
      let k = j + 1u + e % width;
      if (k <= i) { {{store_rest}} }
    }
    storageBarrier();
  }
}
