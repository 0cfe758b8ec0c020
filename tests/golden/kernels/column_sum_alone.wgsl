// column_sum: workgroups [(1, 1, 1)], binds read, read_write
@group(0) @binding(0) var<storage, read> x0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> y0: array<vec4<f32>>;

fn gc_unknown() -> u32 {
  return select(0u, 1u, arrayLength(&x0) == 0u);
}
fn gc_hold_v4(x: vec4<f32>) -> vec4<f32> {
  return bitcast<vec4<f32>>(bitcast<vec4<u32>>(x) + vec4<u32>(gc_unknown()));
}

// column: sum; reduces axes that are not the last, 1000 terms for each result
// grid: ceil(2 / 8) workgroups, folded into y; an item is 4 consecutive result(s), whose terms
// are shared out over 1 invocation(s)
@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * 1u) * 8u + local % 8u;
  let part = local / 8u;
  if (item >= 2u) { return; }
  let i = item;
  let at1 = (i * 4u);
  let v3 = gc_hold_v4(vec4<f32>(f32(0)));
  var acc2 = v3;
  var acc4 = v3;
  var acc5 = v3;
  var acc6 = v3;
  for (var start = 0u; start < 250u; start += 16u) {
    var block8 = v3;
    var block9 = v3;
    var block10 = v3;
    var block11 = v3;
    for (var k = start; k < min(start + 16u, 250u); k++) {  // at most 16 turns
      let v13 = x0[(((k * 4u) * 8u) + at1) / 4u];
      let v14 = (block8 + v13);
      block8 = v14;
      let at15 = (((k * 4u) * 8u) + at1) / 4u;
      let v16 = x0[at15 + 2u];
      let v17 = (block9 + v16);
      block9 = v17;
      let v18 = x0[at15 + 4u];
      let v19 = (block10 + v18);
      block10 = v19;
      let v20 = x0[at15 + 6u];
      let v21 = (block11 + v20);
      block11 = v21;
    }
    let v22 = (acc2 + block8);
    acc2 = v22;
    let v23 = (acc4 + block9);
    acc4 = v23;
    let v24 = (acc5 + block10);
    acc5 = v24;
    let v25 = (acc6 + block11);
    acc6 = v25;
  }
  let v26 = (acc2 + acc4);
  let v27 = (acc5 + acc6);
  let v28 = (v26 + v27);
  y0[i] = v28;
}
