// row_max_sub_exp_sum_div: workgroups [(12, 1, 1)], binds read, read_write
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
// grid: a workgroup for 1 row(s), each of them shared by 16 invocation(s); folded into y; needs: nothing
var<workgroup> shared_value_f32: array<f32, 16>;
@compute @workgroup_size(16)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let row = group.x;
  let lane = local;
  if (group.x >= 12u) { return; }
  let c0 = lane * 4u;
  let v1 = x0[((row * 256u) + c0) / 4u];
  let c1 = lane * 4u + 64u;
  let v2 = x0[((row * 256u) + c1) / 4u];
  let v3 = gc_max_v4(v1, v2);
  let c2 = lane * 4u + 128u;
  let v4 = x0[((row * 256u) + c2) / 4u];
  let v5 = gc_max_v4(v3, v4);
  let c3 = lane * 4u + 192u;
  let v6 = x0[((row * 256u) + c3) / 4u];
  let v7 = gc_max_v4(v5, v6);
  let v8 = gc_max(v7.x, v7.y);
  let v9 = gc_max(v7.z, v7.w);
  let v10 = gc_max(v8, v9);
  shared_value_f32[lane] = v10;
  workgroupBarrier();
  if (lane < 8u) {
    let v11 = shared_value_f32[lane];
    let v12 = shared_value_f32[lane + 8u];
    let v13 = gc_max(v11, v12);
    shared_value_f32[lane] = v13;
  }
  workgroupBarrier();
  if (lane < 4u) {
    let v14 = shared_value_f32[lane];
    let v15 = shared_value_f32[lane + 4u];
    let v16 = gc_max(v14, v15);
    shared_value_f32[lane] = v16;
  }
  workgroupBarrier();
  if (lane < 2u) {
    let v17 = shared_value_f32[lane];
    let v18 = shared_value_f32[lane + 2u];
    let v19 = gc_max(v17, v18);
    shared_value_f32[lane] = v19;
  }
  workgroupBarrier();
  if (lane < 1u) {
    let v20 = shared_value_f32[lane];
    let v21 = shared_value_f32[lane + 1u];
    let v22 = gc_max(v20, v21);
    shared_value_f32[lane] = v22;
  }
  workgroupBarrier();
  let v23 = shared_value_f32[0u];
  workgroupBarrier();
  let v24 = (v1 - vec4<f32>(v23));
  let v25 = gc_exp_v4(v24);
  let v26 = (v2 - vec4<f32>(v23));
  let v27 = gc_exp_v4(v26);
  let v28 = (v25 + v27);
  let v29 = (v4 - vec4<f32>(v23));
  let v30 = gc_exp_v4(v29);
  let v31 = (v28 + v30);
  let v32 = (v6 - vec4<f32>(v23));
  let v33 = gc_exp_v4(v32);
  let v34 = (v31 + v33);
  let v35 = (v34.x + v34.y);
  let v36 = (v34.z + v34.w);
  let v37 = (v35 + v36);
  shared_value_f32[lane] = v37;
  workgroupBarrier();
  if (lane < 8u) {
    let v38 = shared_value_f32[lane];
    let v39 = shared_value_f32[lane + 8u];
    let v40 = (v38 + v39);
    shared_value_f32[lane] = v40;
  }
  workgroupBarrier();
  if (lane < 4u) {
    let v41 = shared_value_f32[lane];
    let v42 = shared_value_f32[lane + 4u];
    let v43 = (v41 + v42);
    shared_value_f32[lane] = v43;
  }
  workgroupBarrier();
  if (lane < 2u) {
    let v44 = shared_value_f32[lane];
    let v45 = shared_value_f32[lane + 2u];
    let v46 = (v44 + v45);
    shared_value_f32[lane] = v46;
  }
  workgroupBarrier();
  if (lane < 1u) {
    let v47 = shared_value_f32[lane];
    let v48 = shared_value_f32[lane + 1u];
    let v49 = (v47 + v48);
    shared_value_f32[lane] = v49;
  }
  workgroupBarrier();
  let v50 = shared_value_f32[0u];
  workgroupBarrier();
  let v51 = gc_div_v4(v25, vec4<f32>(v50));
  y0[((row * 256u) + c0) / 4u] = v51;
  let v52 = gc_div_v4(v27, vec4<f32>(v50));
  y0[((row * 256u) + c1) / 4u] = v52;
  let v53 = gc_div_v4(v30, vec4<f32>(v50));
  y0[((row * 256u) + c2) / 4u] = v53;
  let v54 = gc_div_v4(v33, vec4<f32>(v50));
  y0[((row * 256u) + c3) / 4u] = v54;
}
