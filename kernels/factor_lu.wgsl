// factor_lu: columns {{first}} to {{end}} of the LU factors of matrices of {{n}} rows, in their place, whole rows swapped
// grid: a workgroup for each of {{items}} matrices, folded into y
var<workgroup> most: array<{{type}}, {{size}}>;
var<workgroup> place: array<u32, {{size}}>;

@compute @workgroup_size({{size}})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let matrix = group.x + group.y * {{columns}}u;
  if (matrix >= {{items}}u) { return; }
  for (var c = 0u; c < {{count}}u; c++) {
    let j = {{first}}u + c;
    var best = {{type}}(-1.0);
    var at = j;
    for (var i = j + local; i < {{n}}u; i += {{size}}u) {  // at most {{turns}} turns
      let found = abs({{below}});
      if (found > best) { best = found; at = i; }
    }
    most[local] = best;
    place[local] = at;
    for (var half = {{size}}u / 2u; half > 0u; half /= 2u) {  // at most {{halvings}} turns
      workgroupBarrier();
      if (local < half) {
        let found = most[local + half];
        let there = place[local + half];
        if ((found > most[local]) | ((found == most[local]) & (there < place[local]))) {
          most[local] = found;
          place[local] = there;
        }
      }
    }
    workgroupBarrier();
    let pivot = place[0];
    for (var k = local; k < {{n}}u; k += {{size}}u) {  // at most {{turns}} turns
      let upper = {{upper}};
      let lower = {{lower}};
      {{store_upper}}
      {{store_lower}}
    }
    if (local == 0u) {
      let upper = {{order_upper}};
      let lower = {{order_lower}};
      {{store_order_upper}}
      {{store_order_lower}}
    }
    storageBarrier();
    let top = {{top}};
    for (var i = j + 1u + local; i < {{n}}u; i += {{size}}u) {  // at most {{turns}} turns
      let below = select({{below}} / top, {{type}}(), top == {{type}}(0.0));
      {{store_below}}
    }
    storageBarrier();
    let width = {{end}}u - j - 1u;
    let count = ({{n}}u - j - 1u) * width;
    for (var e = local; e < count; e += {{size}}u) {  // at most {{updates}} turns
      let i = j + 1u + e / width;
      let k = j + 1u + e % width;
      {{store_rest}}
    }
    storageBarrier();
  }
}
