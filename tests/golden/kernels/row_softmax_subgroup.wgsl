// row_max_sub_exp_sum_div: workgroups [(12, 1, 1)], binds read, read_write, needs subgroup
@group(0) @binding(0) var<storage, read> x0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> y0: array<vec4<f32>>;

fn gc_unknown() -> u32 {
  return select(0u, 1u, arrayLength(&x0) == 0u);
}
fn gc_hold_v4(x: vec4<f32>) -> vec4<f32> {
  return bitcast<vec4<f32>>(bitcast<vec4<u32>>(x) + vec4<u32>(gc_unknown()));
}
fn gc_isnan(x: f32) -> bool {
  return (bitcast<u32>(x) & u32(0x7fffffffu)) > u32(0x7f800000u);
}
fn gc_isnan_v4(x: vec4<f32>) -> vec4<bool> {
  return (bitcast<vec4<u32>>(x) & vec4<u32>(0x7fffffffu)) > vec4<u32>(0x7f800000u);
}
fn gc_div_v4(x: vec4<f32>, y: vec4<f32>) -> vec4<f32> {
  let scale = select(vec4<f32>(1.0), vec4<f32>(0.25), abs(y) > vec4<f32>(8.5e37));
  return (x * scale) / gc_hold_v4(y * scale);
}
fn gc_max(a: f32, b: f32) -> f32 {
  return select(select(max(a, b), b, gc_isnan(b)), a, gc_isnan(a));
}
fn gc_max_v4(a: vec4<f32>, b: vec4<f32>) -> vec4<f32> {
  return select(select(max(a, b), b, gc_isnan_v4(b)), a, gc_isnan_v4(a));
}
fn gc_inf_v4(x: vec4<f32>) -> vec4<f32> {
  return bitcast<vec4<f32>>((bitcast<vec4<u32>>(x) & vec4<u32>(0u)) | vec4<u32>(0x7f800000u));
}
fn gc_scale_v4(x: vec4<f32>, n: vec4<i32>) -> vec4<f32> {
  let half = n >> vec4<u32>(1u);
  let rest = n - half;
  return x * bitcast<vec4<f32>>((half + 127) << vec4<u32>(23u)) * bitcast<vec4<f32>>((rest + 127) << vec4<u32>(23u));
}
fn gc_exp_tail_v4(r: vec4<f32>) -> vec4<f32> {
  return r * r * ((((0.0013946552 * r + 0.008366644) * r + 0.04166628) * r + 0.16666542) * r + 0.5);
}
fn gc_exp_v4(x: vec4<f32>) -> vec4<f32> {
  let t = clamp(x, vec4<f32>(-104.0), vec4<f32>(89.0));
  let n = round(t * 1.442695);
  let r = (t - n * 0.693359375) + n * 2.1219444e-4;
  let y = gc_scale_v4(1.0 + (r + gc_exp_tail_v4(r)), vec4<i32>(n));
  let bounded = select(select(y, gc_inf_v4(x), x > vec4<f32>(88.72283172607422)), vec4<f32>(0.0), x < vec4<f32>(-104.0));
  return select(bounded, x, gc_isnan_v4(x));
}

// row: max_sub_exp_sum_div; 12 rows of 256 elements, reduced along the row
// grid: a workgroup for 1 row(s), each of them shared by 32 invocation(s); folded into y; needs: subgroup
@compute @workgroup_size(32)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let row = group.x;
  let lane = local;
  if (group.x >= 12u) { return; }
  let c0 = lane * 4u;
  let v1 = x0[((row * 256u) + c0) / 4u];
  let c1 = lane * 4u + 128u;
  let v2 = x0[((row * 256u) + c1) / 4u];
  let v3 = gc_max_v4(v1, v2);
  let v4 = gc_max(v3.x, v3.y);
  let v5 = gc_max(v3.z, v3.w);
  let v6 = gc_max(v4, v5);
  let v7 = subgroupShuffleXor(v6, 16u);
  let v8 = gc_max(v6, v7);
  let v9 = subgroupShuffleXor(v8, 8u);
  let v10 = gc_max(v8, v9);
  let v11 = subgroupShuffleXor(v10, 4u);
  let v12 = gc_max(v10, v11);
  let v13 = subgroupShuffleXor(v12, 2u);
  let v14 = gc_max(v12, v13);
  let v15 = subgroupShuffleXor(v14, 1u);
  let v16 = gc_max(v14, v15);
  let v17 = (v1 - vec4<f32>(v16));
  let v18 = gc_exp_v4(v17);
  let v19 = (v2 - vec4<f32>(v16));
  let v20 = gc_exp_v4(v19);
  let v21 = (v18 + v20);
  let v22 = (v21.x + v21.y);
  let v23 = (v21.z + v21.w);
  let v24 = (v22 + v23);
  let v25 = subgroupAdd(v24);
  let v26 = gc_div_v4(v18, vec4<f32>(v25));
  y0[((row * 256u) + c0) / 4u] = v26;
  let v27 = gc_div_v4(v20, vec4<f32>(v25));
  y0[((row * 256u) + c1) / 4u] = v27;
}
