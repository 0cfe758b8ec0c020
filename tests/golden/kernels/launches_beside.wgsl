// row_sum: workgroups [(9, 1, 1)], binds read, read_write
@group(0) @binding(0) var<storage, read> x0: array<f32>;
@group(0) @binding(1) var<storage, read_write> y0: array<f32>;

// row: sum; 9 rows of 30 elements, reduced along the row
// grid: a workgroup for 1 row(s), each of them shared by 8 invocation(s); folded into y; needs: nothing
var<workgroup> shared_value_f32: array<f32, 8>;
@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let row = group.x;
  let lane = local;
  if (group.x >= 9u) { return; }
  let c0 = lane;
  let v1 = x0[((row * 30u) + c0)];
  let c1 = lane + 8u;
  let v2 = x0[((row * 30u) + c1)];
  let v3 = (v1 + v2);
  let c2 = lane + 16u;
  let v4 = x0[((row * 30u) + c2)];
  let v5 = (v3 + v4);
  let c3 = lane + 24u;
  let v6 = c3 < 30u;
  let v7 = x0[((row * 30u) + c3)];
  let v8 = select(f32(f32(0)), v7, v6);
  let v9 = (v5 + v8);
  shared_value_f32[lane] = v9;
  workgroupBarrier();
  if (lane < 4u) {
    let v10 = shared_value_f32[lane];
    let v11 = shared_value_f32[lane + 4u];
    let v12 = (v10 + v11);
    shared_value_f32[lane] = v12;
  }
  workgroupBarrier();
  if (lane < 2u) {
    let v13 = shared_value_f32[lane];
    let v14 = shared_value_f32[lane + 2u];
    let v15 = (v13 + v14);
    shared_value_f32[lane] = v15;
  }
  workgroupBarrier();
  if (lane < 1u) {
    let v16 = shared_value_f32[lane];
    let v17 = shared_value_f32[lane + 1u];
    let v18 = (v16 + v17);
    shared_value_f32[lane] = v18;
  }
  workgroupBarrier();
  let v19 = shared_value_f32[0u];
  workgroupBarrier();
  if (lane == 0u) {
    y0[row] = v19;
  }
}

// row_exp_sum: workgroups [(5, 1, 1)], binds read, read_write
@group(0) @binding(0) var<storage, read> x0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> y0: array<f32>;

fn gc_isnan_v4(x: vec4<f32>) -> vec4<bool> {
  return (bitcast<vec4<u32>>(x) & vec4<u32>(0x7fffffffu)) > vec4<u32>(0x7f800000u);
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

// row: exp_sum; 5 rows of 40 elements, reduced along the row
// grid: a workgroup for 1 row(s), each of them shared by 4 invocation(s); folded into y; needs: nothing
var<workgroup> shared_value_f32: array<f32, 4>;
@compute @workgroup_size(4)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let row = group.x;
  let lane = local;
  if (group.x >= 5u) { return; }
  let c0 = lane * 4u;
  let v1 = x0[((row * 40u) + c0) / 4u];
  let v2 = gc_exp_v4(v1);
  let c1 = lane * 4u + 16u;
  let v3 = x0[((row * 40u) + c1) / 4u];
  let v4 = gc_exp_v4(v3);
  let v5 = (v2 + v4);
  let c2 = lane * 4u + 32u;
  let v6 = c2 < 40u;
  let v7 = x0[((row * 40u) + c2) / 4u];
  let v8 = gc_exp_v4(v7);
  let v9 = select(vec4<f32>(f32(0)), v8, v6);
  let v10 = (v5 + v9);
  let v11 = (v10.x + v10.y);
  let v12 = (v10.z + v10.w);
  let v13 = (v11 + v12);
  shared_value_f32[lane] = v13;
  workgroupBarrier();
  if (lane < 2u) {
    let v14 = shared_value_f32[lane];
    let v15 = shared_value_f32[lane + 2u];
    let v16 = (v14 + v15);
    shared_value_f32[lane] = v16;
  }
  workgroupBarrier();
  if (lane < 1u) {
    let v17 = shared_value_f32[lane];
    let v18 = shared_value_f32[lane + 1u];
    let v19 = (v17 + v18);
    shared_value_f32[lane] = v19;
  }
  workgroupBarrier();
  let v20 = shared_value_f32[0u];
  workgroupBarrier();
  if (lane == 0u) {
    y0[row] = v20;
  }
}
