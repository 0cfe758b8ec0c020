// column_sum: workgroups [(2, 1, 1)], binds read, read_write
@group(0) @binding(0) var<storage, read> x0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> y0: array<vec4<f32>>;

fn gc_unknown() -> u32 {
  return select(0u, 1u, arrayLength(&x0) == 0u);
}
fn gc_hold_v4(x: vec4<f32>) -> vec4<f32> {
  return bitcast<vec4<f32>>(bitcast<vec4<u32>>(x) + vec4<u32>(gc_unknown()));
}

// column: sum; reduces axes that are not the last, 64 terms for each result
// grid: ceil(24 / 16) workgroups, folded into y; an item is 4 consecutive result(s), whose terms
// are shared out over 16 invocation(s)
var<workgroup> shared_value_f32_v4: array<vec4<f32>, 256>;
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * 2u) * 16u + local % 16u;
  let part = local / 16u;
  let i = min(item, 23u);
  let at1 = (i * 4u);
  let v3 = gc_hold_v4(vec4<f32>(f32(0)));
  var acc2 = v3;
  for (var k = 0u; k < 4u; k++) {
    let at5 = ((((k * 16u) + part) * 96u) + at1);
    let v6 = x0[at5 / 4u];
    let v7 = (acc2 + v6);
    acc2 = v7;
  }
  shared_value_f32_v4[local] = acc2;
  workgroupBarrier();
  if (part < 8u) {
    let v8 = shared_value_f32_v4[local];
    let v9 = shared_value_f32_v4[local + 128u];
    let v10 = (v8 + v9);
    shared_value_f32_v4[local] = v10;
  }
  workgroupBarrier();
  if (part < 4u) {
    let v11 = shared_value_f32_v4[local];
    let v12 = shared_value_f32_v4[local + 64u];
    let v13 = (v11 + v12);
    shared_value_f32_v4[local] = v13;
  }
  workgroupBarrier();
  if (part < 2u) {
    let v14 = shared_value_f32_v4[local];
    let v15 = shared_value_f32_v4[local + 32u];
    let v16 = (v14 + v15);
    shared_value_f32_v4[local] = v16;
  }
  workgroupBarrier();
  if (part < 1u) {
    let v17 = shared_value_f32_v4[local];
    let v18 = shared_value_f32_v4[local + 16u];
    let v19 = (v17 + v18);
    shared_value_f32_v4[local] = v19;
  }
  workgroupBarrier();
  let v20 = shared_value_f32_v4[local % 16u];
  workgroupBarrier();
  if (part == 0u && item < 24u) {
    y0[i] = v20;
  }
}
