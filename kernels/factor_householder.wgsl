// factor_householder: columns {{first}} to {{end}} of R, and below it the vectors of the reflections that lead there
// grid: a workgroup for each of {{items}} matrices, folded into y
var<workgroup> parts: array<{{type}}, {{size}}>;
var<workgroup> squares: array<vec3<{{type}}>, {{size}}>;

@compute @workgroup_size({{size}})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let matrix = group.x + group.y * {{columns}}u;
  if (matrix >= {{items}}u) { return; }
  let lane = local / {{block}}u;
  for (var c = 0u; c < {{count}}u; c++) {
    let j = {{first}}u + c;
    var square = vec3<{{type}}>();
    for (var i = j + 1u + local; i < {{m}}u; i += {{size}}u) {  // at most {{turns}} turns
      square += square_of({{below}});
    }
    squares[local] = square;
    for (var half = {{size}}u / 2u; half > 0u; half /= 2u) {  // at most {{halvings}} turns
      workgroupBarrier();
      if (local < half) { squares[local] += squares[local + half]; }
    }
    workgroupBarrier();
    let rest = squares[0];
    let top = {{top}};
    let length = length_of(square_of(top) + rest);
    let none = rest.x + rest.y + rest.z == {{type}}(0.0);
    let made = select(select(-length, length, top < {{type}}(0.0)), top, none);
    let share = select((made - top) / made, {{type}}(0.0), none);
    let scale = select({{type}}(1.0) / (top - made), {{type}}(0.0), none);
    storageBarrier();
    for (var i = j + 1u + local; i < {{m}}u; i += {{size}}u) {  // at most {{turns}} turns
      let below = {{below}} * scale;
      {{store_below}}
    }
    if (local == 0u) {
      {{store_top}}
      {{store_share}}
    }
    storageBarrier();
    let k = j + 1u + local % {{block}}u;
    var sum = {{type}}();
    if (k < {{end}}u) {
      for (var i = j + 1u + lane; i < {{m}}u; i += {{lanes}}u) {  // at most {{column_turns}} turns
        sum += {{below}} * {{other}};
      }
    }
    parts[local] = sum;
    workgroupBarrier();
    var total = {{type}}();
    for (var l = 0u; l < {{lanes}}u; l++) { total += parts[l * {{block}}u + local % {{block}}u]; }
    if (k < {{end}}u) { total = share * (total + {{row}}); }
    storageBarrier();
    if (k < {{end}}u) {
      if (lane == 0u) { {{store_row}} }
      for (var i = j + 1u + lane; i < {{m}}u; i += {{lanes}}u) {  // at most {{column_turns}} turns
        {{store_other}}
      }
    }
    storageBarrier();
  }
}

{{lengths}}
