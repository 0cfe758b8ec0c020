// column_sum: workgroups [(135, 1, 1)], binds read, read_write
@group(0) @binding(0) var<storage, read> x0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> y0: array<vec4<f32>>;

fn gc_unknown() -> u32 {
  return select(0u, 1u, arrayLength(&x0) == 0u);
}
fn gc_hold_v4(x: vec4<f32>) -> vec4<f32> {
  return bitcast<vec4<f32>>(bitcast<vec4<u32>>(x) + vec4<u32>(gc_unknown()));
}

// column: sum; reduces axes that are not the last, 100 terms for each result
// grid: ceil(2160 / 16) workgroups, folded into y; an item is 4 consecutive result(s), whose terms
// are shared out over 16 invocation(s)
var<workgroup> shared_value_f32_v4: array<vec4<f32>, 256>;
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * 135u) * 16u + local % 16u;
  let part = local / 16u;
  let i = min(item, 2159u);
  let at1 = (i * 4u);
  let v3 = gc_hold_v4(vec4<f32>(f32(0)));
  var acc2 = v3;
  for (var k = 0u; k < 6u; k++) {
    let at5 = ((((at1 / 96u) * 9600u) + (((k * 16u) + part) * 96u)) + (at1 % 96u));
    let v6 = x0[at5 / 4u];
    let v7 = (acc2 + v6);
    acc2 = v7;
  }
  let v8 = (part + 96u) < 100u;
  let at9 = ((((at1 / 96u) * 9600u) + (((part + 96u) % 100u) * 96u)) + (at1 % 96u));
  let v10 = x0[at9 / 4u];
  let v11 = select(vec4<f32>(f32(0)), v10, v8);
  let v12 = (acc2 + v11);
  acc2 = v12;
  shared_value_f32_v4[local] = acc2;
  workgroupBarrier();
  if (part < 8u) {
    let v13 = shared_value_f32_v4[local];
    let v14 = shared_value_f32_v4[local + 128u];
    let v15 = (v13 + v14);
    shared_value_f32_v4[local] = v15;
  }
  workgroupBarrier();
  if (part < 4u) {
    let v16 = shared_value_f32_v4[local];
    let v17 = shared_value_f32_v4[local + 64u];
    let v18 = (v16 + v17);
    shared_value_f32_v4[local] = v18;
  }
  workgroupBarrier();
  if (part < 2u) {
    let v19 = shared_value_f32_v4[local];
    let v20 = shared_value_f32_v4[local + 32u];
    let v21 = (v19 + v20);
    shared_value_f32_v4[local] = v21;
  }
  workgroupBarrier();
  if (part < 1u) {
    let v22 = shared_value_f32_v4[local];
    let v23 = shared_value_f32_v4[local + 16u];
    let v24 = (v22 + v23);
    shared_value_f32_v4[local] = v24;
  }
  workgroupBarrier();
  let v25 = shared_value_f32_v4[local % 16u];
  workgroupBarrier();
  if (part == 0u && item < 2160u) {
    y0[i] = v25;
  }
}

// column_sum_2: workgroups [(2, 1, 1)], binds read_write, read_write
@group(0) @binding(0) var<storage, read_write> x0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> y0: array<vec4<f32>>;

fn gc_unknown() -> u32 {
  return select(0u, 1u, arrayLength(&x0) == 0u);
}
fn gc_hold_v4(x: vec4<f32>) -> vec4<f32> {
  return bitcast<vec4<f32>>(bitcast<vec4<u32>>(x) + vec4<u32>(gc_unknown()));
}

// column: sum; reduces axes that are not the last, 90 terms for each result
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
  for (var k = 0u; k < 5u; k++) {
    let at5 = ((((k * 16u) + part) * 96u) + at1);
    let v6 = x0[at5 / 4u];
    let v7 = (acc2 + v6);
    acc2 = v7;
  }
  let v8 = (part + 80u) < 90u;
  let at9 = ((part * 96u) + at1) / 4u;
  let v10 = x0[at9 + 1920u];
  let v11 = select(vec4<f32>(f32(0)), v10, v8);
  let v12 = (acc2 + v11);
  acc2 = v12;
  shared_value_f32_v4[local] = acc2;
  workgroupBarrier();
  if (part < 8u) {
    let v13 = shared_value_f32_v4[local];
    let v14 = shared_value_f32_v4[local + 128u];
    let v15 = (v13 + v14);
    shared_value_f32_v4[local] = v15;
  }
  workgroupBarrier();
  if (part < 4u) {
    let v16 = shared_value_f32_v4[local];
    let v17 = shared_value_f32_v4[local + 64u];
    let v18 = (v16 + v17);
    shared_value_f32_v4[local] = v18;
  }
  workgroupBarrier();
  if (part < 2u) {
    let v19 = shared_value_f32_v4[local];
    let v20 = shared_value_f32_v4[local + 32u];
    let v21 = (v19 + v20);
    shared_value_f32_v4[local] = v21;
  }
  workgroupBarrier();
  if (part < 1u) {
    let v22 = shared_value_f32_v4[local];
    let v23 = shared_value_f32_v4[local + 16u];
    let v24 = (v22 + v23);
    shared_value_f32_v4[local] = v24;
  }
  workgroupBarrier();
  let v25 = shared_value_f32_v4[local % 16u];
  workgroupBarrier();
  if (part == 0u && item < 24u) {
    y0[i] = v25;
  }
}
