// row_max_sub_exp_sum_div: workgroups [(100, 1, 1)], binds read, read_write, needs subgroup
@group(0) @binding(0) var<storage, read> x0: array<f32>;
@group(0) @binding(1) var<storage, read_write> y0: array<f32>;

fn gc_unknown() -> u32 {
  return select(0u, 1u, arrayLength(&x0) == 0u);
}
fn gc_hold(x: f32) -> f32 {
  return bitcast<f32>(bitcast<u32>(x) + u32(gc_unknown()));
}
fn gc_isnan(x: f32) -> bool {
  return (bitcast<u32>(x) & u32(0x7fffffffu)) > u32(0x7f800000u);
}
fn gc_max(a: f32, b: f32) -> f32 {
  return select(select(max(a, b), b, gc_isnan(b)), a, gc_isnan(a));
}
fn gc_inf(x: f32) -> f32 {
  return bitcast<f32>((bitcast<u32>(x) & u32(0u)) | u32(0x7f800000u));
}
fn gc_scale(x: f32, n: i32) -> f32 {
  let half = n >> u32(1u);
  let rest = n - half;
  return x * bitcast<f32>((half + 127) << u32(23u)) * bitcast<f32>((rest + 127) << u32(23u));
}
fn gc_exp_tail(r: f32) -> f32 {
  return r * r * ((((0.0013946552 * r + 0.008366644) * r + 0.04166628) * r + 0.16666542) * r + 0.5);
}
fn gc_exp(x: f32) -> f32 {
  let t = clamp(x, f32(-104.0), f32(89.0));
  let n = round(t * 1.442695);
  let r = (t - n * 0.693359375) + n * 2.1219444e-4;
  let y = gc_scale(1.0 + (r + gc_exp_tail(r)), i32(n));
  let bounded = select(select(y, gc_inf(x), x > f32(88.72283172607422)), f32(0.0), x < f32(-104.0));
  return select(bounded, x, gc_isnan(x));
}
fn gc_from_bits(bits: u32) -> f32 {
  return bitcast<f32>(bits);
}

// row: max_sub_exp_sum_div; 100 rows of 27 elements, reduced along the row
// grid: a workgroup for 1 row(s), each of them shared by 8 invocation(s); folded into y; needs: subgroup
@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let row = group.x;
  let lane = local;
  if (group.x >= 100u) { return; }
  let c0 = lane;
  let v1 = x0[((row * 27u) + c0)];
  let c1 = lane + 8u;
  let v2 = x0[((row * 27u) + c1)];
  let v3 = gc_max(v1, v2);
  let c2 = lane + 16u;
  let v4 = x0[((row * 27u) + c2)];
  let v5 = gc_max(v3, v4);
  let c3 = lane + 24u;
  let v6 = c3 < 27u;
  let v7 = x0[((row * 27u) + c3)];
  let v8 = select(f32(gc_from_bits(0xff800000u)), v7, v6);
  let v9 = gc_max(v5, v8);
  let v10 = subgroupShuffleXor(v9, 4u);
  let v11 = gc_max(v9, v10);
  let v12 = subgroupShuffleXor(v11, 2u);
  let v13 = gc_max(v11, v12);
  let v14 = subgroupShuffleXor(v13, 1u);
  let v15 = gc_max(v13, v14);
  let v16 = gc_hold(v15);
  let v17 = (v1 - v16);
  let v18 = gc_exp(v17);
  let v19 = (v2 - v16);
  let v20 = gc_exp(v19);
  let v21 = (v18 + v20);
  let v22 = (v4 - v16);
  let v23 = gc_exp(v22);
  let v24 = (v21 + v23);
  let v25 = c3 < 27u;
  let v26 = (v7 - v16);
  let v27 = gc_exp(v26);
  let v28 = select(f32(f32(0)), v27, v25);
  let v29 = (v24 + v28);
  let v30 = subgroupAdd(v29);
  let v31 = gc_hold(v30);
  let v32 = (v18 / v31);
  y0[((row * 27u) + c0)] = v32;
  let v33 = (v20 / v31);
  y0[((row * 27u) + c1)] = v33;
  let v34 = (v23 / v31);
  y0[((row * 27u) + c2)] = v34;
  let v35 = (v27 / v31);
  if (c3 < 27u) {
    y0[((row * 27u) + c3)] = v35;
  }
}
