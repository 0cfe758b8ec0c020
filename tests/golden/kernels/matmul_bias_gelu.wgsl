// matmul_add_mul_erf: workgroups [(4, 1, 1)], binds read, read, read, read_write, needs subgroup
@group(0) @binding(0) var<storage, read> x0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> x1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> x2: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y0: array<vec4<f32>>;

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
fn gc_erf_v4(x: vec4<f32>) -> vec4<f32> {
  let a = min(abs(x), vec4<f32>(4.0));
  let u = a * a;
  var p = -0.00059768936 * u + 0.00499098;
  p = p * u - 0.026765566;
  p = p * u + 0.112818025;
  p = p * u - 0.37612495;
  p = p * u + 0.12837915;
  var q = 0.00019593826 * a - 0.0030432267;
  q = q * a + 0.022226956;
  q = q * a - 0.103931665;
  q = q * a - 0.6371822;
  q = q * a - 1.1276757;
  q = q * a - 0.00019566654;
  let y = select(1.0 - gc_exp_v4(q), a * (1.0 + p), a < vec4<f32>(0.92));
  return select(gc_copysign_v4(y, x), x, gc_isnan_v4(x));
}
fn gc_copysign_v4(a: vec4<f32>, b: vec4<f32>) -> vec4<f32> {
  return select(abs(a), -abs(a), bitcast<vec4<i32>>(b) < vec4<i32>(0));
}

// matmul: C[b, m, n] = epilogue(sum over k of A[b, m, k] B[b, k, n]); matmul_add_mul_erf
// grid: one workgroup a tile of 32 x 64, tiles of one row of tiles side by side, then down, then
// 1 part(s) of the sum, then the batch; folded into y. Workgroup: 1 row(s) of 8 lanes along N.
@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let tile = group.x + group.y * 4u;
  if (tile >= 4u) { return; }
  let batch = tile / 4u;
  let part = (tile / 4u) % 1u;
  let row = (tile / 2u) % 2u * 32u;
  let lane = local % 8u;
  let column = tile % 2u * 64u + lane * 4u;
  let m0 = row + lane;
  let m1 = row + 8u + lane;
  let m2 = row + 16u + lane;
  let m3 = row + 24u + lane;
  let n0 = min(column, 76u);
  let n1 = min((column + 32u), 76u);
  var c0_0 = vec4<f32>(); var c0_1 = vec4<f32>();
  var c1_0 = vec4<f32>(); var c1_1 = vec4<f32>();
  var c2_0 = vec4<f32>(); var c2_1 = vec4<f32>();
  var c3_0 = vec4<f32>(); var c3_1 = vec4<f32>();
  var c4_0 = vec4<f32>(); var c4_1 = vec4<f32>();
  var c5_0 = vec4<f32>(); var c5_1 = vec4<f32>();
  var c6_0 = vec4<f32>(); var c6_1 = vec4<f32>();
  var c7_0 = vec4<f32>(); var c7_1 = vec4<f32>();
  var c8_0 = vec4<f32>(); var c8_1 = vec4<f32>();
  var c9_0 = vec4<f32>(); var c9_1 = vec4<f32>();
  var c10_0 = vec4<f32>(); var c10_1 = vec4<f32>();
  var c11_0 = vec4<f32>(); var c11_1 = vec4<f32>();
  var c12_0 = vec4<f32>(); var c12_1 = vec4<f32>();
  var c13_0 = vec4<f32>(); var c13_1 = vec4<f32>();
  var c14_0 = vec4<f32>(); var c14_1 = vec4<f32>();
  var c15_0 = vec4<f32>(); var c15_1 = vec4<f32>();
  var c16_0 = vec4<f32>(); var c16_1 = vec4<f32>();
  var c17_0 = vec4<f32>(); var c17_1 = vec4<f32>();
  var c18_0 = vec4<f32>(); var c18_1 = vec4<f32>();
  var c19_0 = vec4<f32>(); var c19_1 = vec4<f32>();
  var c20_0 = vec4<f32>(); var c20_1 = vec4<f32>();
  var c21_0 = vec4<f32>(); var c21_1 = vec4<f32>();
  var c22_0 = vec4<f32>(); var c22_1 = vec4<f32>();
  var c23_0 = vec4<f32>(); var c23_1 = vec4<f32>();
  var c24_0 = vec4<f32>(); var c24_1 = vec4<f32>();
  var c25_0 = vec4<f32>(); var c25_1 = vec4<f32>();
  var c26_0 = vec4<f32>(); var c26_1 = vec4<f32>();
  var c27_0 = vec4<f32>(); var c27_1 = vec4<f32>();
  var c28_0 = vec4<f32>(); var c28_1 = vec4<f32>();
  var c29_0 = vec4<f32>(); var c29_1 = vec4<f32>();
  var c30_0 = vec4<f32>(); var c30_1 = vec4<f32>();
  var c31_0 = vec4<f32>(); var c31_1 = vec4<f32>();
  let k_end = min((part + 1u) * 48u, 48u);
  for (var k = part * 48u; k < k_end; k += 4u) {  // at most 12 turns
    let v1 = x0[((m0 * 48u) + k) / 4u];
    let v2 = x0[((m1 * 48u) + k) / 4u];
    let v3 = x0[((m2 * 48u) + k) / 4u];
    let v4 = x0[((m3 * 48u) + k) / 4u];
    let v5 = x1[((k * 80u) + n0) / 4u];
    let v6 = x1[((k * 80u) + n1) / 4u];
    let at7 = ((k * 80u) + n0) / 4u;
    let v8 = x1[at7 + 20u];
    let at9 = ((k * 80u) + n1) / 4u;
    let v10 = x1[at9 + 20u];
    let v11 = x1[at7 + 40u];
    let v12 = x1[at9 + 40u];
    let v13 = x1[at7 + 60u];
    let v14 = x1[at9 + 60u];
    let x0_0 = subgroupBroadcast(v1.x, 0u); let x0_1 = subgroupBroadcast(v1.y, 0u); let x0_2 = subgroupBroadcast(v1.z, 0u); let x0_3 = subgroupBroadcast(v1.w, 0u);
    c0_0 += x0_0 * v5; c0_0 += x0_1 * v8; c0_0 += x0_2 * v11; c0_0 += x0_3 * v13;
    c0_1 += x0_0 * v6; c0_1 += x0_1 * v10; c0_1 += x0_2 * v12; c0_1 += x0_3 * v14;
    let x1_0 = subgroupBroadcast(v1.x, 1u); let x1_1 = subgroupBroadcast(v1.y, 1u); let x1_2 = subgroupBroadcast(v1.z, 1u); let x1_3 = subgroupBroadcast(v1.w, 1u);
    c1_0 += x1_0 * v5; c1_0 += x1_1 * v8; c1_0 += x1_2 * v11; c1_0 += x1_3 * v13;
    c1_1 += x1_0 * v6; c1_1 += x1_1 * v10; c1_1 += x1_2 * v12; c1_1 += x1_3 * v14;
    let x2_0 = subgroupBroadcast(v1.x, 2u); let x2_1 = subgroupBroadcast(v1.y, 2u); let x2_2 = subgroupBroadcast(v1.z, 2u); let x2_3 = subgroupBroadcast(v1.w, 2u);
    c2_0 += x2_0 * v5; c2_0 += x2_1 * v8; c2_0 += x2_2 * v11; c2_0 += x2_3 * v13;
    c2_1 += x2_0 * v6; c2_1 += x2_1 * v10; c2_1 += x2_2 * v12; c2_1 += x2_3 * v14;
    let x3_0 = subgroupBroadcast(v1.x, 3u); let x3_1 = subgroupBroadcast(v1.y, 3u); let x3_2 = subgroupBroadcast(v1.z, 3u); let x3_3 = subgroupBroadcast(v1.w, 3u);
    c3_0 += x3_0 * v5; c3_0 += x3_1 * v8; c3_0 += x3_2 * v11; c3_0 += x3_3 * v13;
    c3_1 += x3_0 * v6; c3_1 += x3_1 * v10; c3_1 += x3_2 * v12; c3_1 += x3_3 * v14;
    let x4_0 = subgroupBroadcast(v1.x, 4u); let x4_1 = subgroupBroadcast(v1.y, 4u); let x4_2 = subgroupBroadcast(v1.z, 4u); let x4_3 = subgroupBroadcast(v1.w, 4u);
    c4_0 += x4_0 * v5; c4_0 += x4_1 * v8; c4_0 += x4_2 * v11; c4_0 += x4_3 * v13;
    c4_1 += x4_0 * v6; c4_1 += x4_1 * v10; c4_1 += x4_2 * v12; c4_1 += x4_3 * v14;
    let x5_0 = subgroupBroadcast(v1.x, 5u); let x5_1 = subgroupBroadcast(v1.y, 5u); let x5_2 = subgroupBroadcast(v1.z, 5u); let x5_3 = subgroupBroadcast(v1.w, 5u);
    c5_0 += x5_0 * v5; c5_0 += x5_1 * v8; c5_0 += x5_2 * v11; c5_0 += x5_3 * v13;
    c5_1 += x5_0 * v6; c5_1 += x5_1 * v10; c5_1 += x5_2 * v12; c5_1 += x5_3 * v14;
    let x6_0 = subgroupBroadcast(v1.x, 6u); let x6_1 = subgroupBroadcast(v1.y, 6u); let x6_2 = subgroupBroadcast(v1.z, 6u); let x6_3 = subgroupBroadcast(v1.w, 6u);
    c6_0 += x6_0 * v5; c6_0 += x6_1 * v8; c6_0 += x6_2 * v11; c6_0 += x6_3 * v13;
    c6_1 += x6_0 * v6; c6_1 += x6_1 * v10; c6_1 += x6_2 * v12; c6_1 += x6_3 * v14;
    let x7_0 = subgroupBroadcast(v1.x, 7u); let x7_1 = subgroupBroadcast(v1.y, 7u); let x7_2 = subgroupBroadcast(v1.z, 7u); let x7_3 = subgroupBroadcast(v1.w, 7u);
    c7_0 += x7_0 * v5; c7_0 += x7_1 * v8; c7_0 += x7_2 * v11; c7_0 += x7_3 * v13;
    c7_1 += x7_0 * v6; c7_1 += x7_1 * v10; c7_1 += x7_2 * v12; c7_1 += x7_3 * v14;
    let x8_0 = subgroupBroadcast(v2.x, 0u); let x8_1 = subgroupBroadcast(v2.y, 0u); let x8_2 = subgroupBroadcast(v2.z, 0u); let x8_3 = subgroupBroadcast(v2.w, 0u);
    c8_0 += x8_0 * v5; c8_0 += x8_1 * v8; c8_0 += x8_2 * v11; c8_0 += x8_3 * v13;
    c8_1 += x8_0 * v6; c8_1 += x8_1 * v10; c8_1 += x8_2 * v12; c8_1 += x8_3 * v14;
    let x9_0 = subgroupBroadcast(v2.x, 1u); let x9_1 = subgroupBroadcast(v2.y, 1u); let x9_2 = subgroupBroadcast(v2.z, 1u); let x9_3 = subgroupBroadcast(v2.w, 1u);
    c9_0 += x9_0 * v5; c9_0 += x9_1 * v8; c9_0 += x9_2 * v11; c9_0 += x9_3 * v13;
    c9_1 += x9_0 * v6; c9_1 += x9_1 * v10; c9_1 += x9_2 * v12; c9_1 += x9_3 * v14;
    let x10_0 = subgroupBroadcast(v2.x, 2u); let x10_1 = subgroupBroadcast(v2.y, 2u); let x10_2 = subgroupBroadcast(v2.z, 2u); let x10_3 = subgroupBroadcast(v2.w, 2u);
    c10_0 += x10_0 * v5; c10_0 += x10_1 * v8; c10_0 += x10_2 * v11; c10_0 += x10_3 * v13;
    c10_1 += x10_0 * v6; c10_1 += x10_1 * v10; c10_1 += x10_2 * v12; c10_1 += x10_3 * v14;
    let x11_0 = subgroupBroadcast(v2.x, 3u); let x11_1 = subgroupBroadcast(v2.y, 3u); let x11_2 = subgroupBroadcast(v2.z, 3u); let x11_3 = subgroupBroadcast(v2.w, 3u);
    c11_0 += x11_0 * v5; c11_0 += x11_1 * v8; c11_0 += x11_2 * v11; c11_0 += x11_3 * v13;
    c11_1 += x11_0 * v6; c11_1 += x11_1 * v10; c11_1 += x11_2 * v12; c11_1 += x11_3 * v14;
    let x12_0 = subgroupBroadcast(v2.x, 4u); let x12_1 = subgroupBroadcast(v2.y, 4u); let x12_2 = subgroupBroadcast(v2.z, 4u); let x12_3 = subgroupBroadcast(v2.w, 4u);
    c12_0 += x12_0 * v5; c12_0 += x12_1 * v8; c12_0 += x12_2 * v11; c12_0 += x12_3 * v13;
    c12_1 += x12_0 * v6; c12_1 += x12_1 * v10; c12_1 += x12_2 * v12; c12_1 += x12_3 * v14;
    let x13_0 = subgroupBroadcast(v2.x, 5u); let x13_1 = subgroupBroadcast(v2.y, 5u); let x13_2 = subgroupBroadcast(v2.z, 5u); let x13_3 = subgroupBroadcast(v2.w, 5u);
    c13_0 += x13_0 * v5; c13_0 += x13_1 * v8; c13_0 += x13_2 * v11; c13_0 += x13_3 * v13;
    c13_1 += x13_0 * v6; c13_1 += x13_1 * v10; c13_1 += x13_2 * v12; c13_1 += x13_3 * v14;
    let x14_0 = subgroupBroadcast(v2.x, 6u); let x14_1 = subgroupBroadcast(v2.y, 6u); let x14_2 = subgroupBroadcast(v2.z, 6u); let x14_3 = subgroupBroadcast(v2.w, 6u);
    c14_0 += x14_0 * v5; c14_0 += x14_1 * v8; c14_0 += x14_2 * v11; c14_0 += x14_3 * v13;
    c14_1 += x14_0 * v6; c14_1 += x14_1 * v10; c14_1 += x14_2 * v12; c14_1 += x14_3 * v14;
    let x15_0 = subgroupBroadcast(v2.x, 7u); let x15_1 = subgroupBroadcast(v2.y, 7u); let x15_2 = subgroupBroadcast(v2.z, 7u); let x15_3 = subgroupBroadcast(v2.w, 7u);
    c15_0 += x15_0 * v5; c15_0 += x15_1 * v8; c15_0 += x15_2 * v11; c15_0 += x15_3 * v13;
    c15_1 += x15_0 * v6; c15_1 += x15_1 * v10; c15_1 += x15_2 * v12; c15_1 += x15_3 * v14;
    let x16_0 = subgroupBroadcast(v3.x, 0u); let x16_1 = subgroupBroadcast(v3.y, 0u); let x16_2 = subgroupBroadcast(v3.z, 0u); let x16_3 = subgroupBroadcast(v3.w, 0u);
    c16_0 += x16_0 * v5; c16_0 += x16_1 * v8; c16_0 += x16_2 * v11; c16_0 += x16_3 * v13;
    c16_1 += x16_0 * v6; c16_1 += x16_1 * v10; c16_1 += x16_2 * v12; c16_1 += x16_3 * v14;
    let x17_0 = subgroupBroadcast(v3.x, 1u); let x17_1 = subgroupBroadcast(v3.y, 1u); let x17_2 = subgroupBroadcast(v3.z, 1u); let x17_3 = subgroupBroadcast(v3.w, 1u);
    c17_0 += x17_0 * v5; c17_0 += x17_1 * v8; c17_0 += x17_2 * v11; c17_0 += x17_3 * v13;
    c17_1 += x17_0 * v6; c17_1 += x17_1 * v10; c17_1 += x17_2 * v12; c17_1 += x17_3 * v14;
    let x18_0 = subgroupBroadcast(v3.x, 2u); let x18_1 = subgroupBroadcast(v3.y, 2u); let x18_2 = subgroupBroadcast(v3.z, 2u); let x18_3 = subgroupBroadcast(v3.w, 2u);
    c18_0 += x18_0 * v5; c18_0 += x18_1 * v8; c18_0 += x18_2 * v11; c18_0 += x18_3 * v13;
    c18_1 += x18_0 * v6; c18_1 += x18_1 * v10; c18_1 += x18_2 * v12; c18_1 += x18_3 * v14;
    let x19_0 = subgroupBroadcast(v3.x, 3u); let x19_1 = subgroupBroadcast(v3.y, 3u); let x19_2 = subgroupBroadcast(v3.z, 3u); let x19_3 = subgroupBroadcast(v3.w, 3u);
    c19_0 += x19_0 * v5; c19_0 += x19_1 * v8; c19_0 += x19_2 * v11; c19_0 += x19_3 * v13;
    c19_1 += x19_0 * v6; c19_1 += x19_1 * v10; c19_1 += x19_2 * v12; c19_1 += x19_3 * v14;
    let x20_0 = subgroupBroadcast(v3.x, 4u); let x20_1 = subgroupBroadcast(v3.y, 4u); let x20_2 = subgroupBroadcast(v3.z, 4u); let x20_3 = subgroupBroadcast(v3.w, 4u);
    c20_0 += x20_0 * v5; c20_0 += x20_1 * v8; c20_0 += x20_2 * v11; c20_0 += x20_3 * v13;
    c20_1 += x20_0 * v6; c20_1 += x20_1 * v10; c20_1 += x20_2 * v12; c20_1 += x20_3 * v14;
    let x21_0 = subgroupBroadcast(v3.x, 5u); let x21_1 = subgroupBroadcast(v3.y, 5u); let x21_2 = subgroupBroadcast(v3.z, 5u); let x21_3 = subgroupBroadcast(v3.w, 5u);
    c21_0 += x21_0 * v5; c21_0 += x21_1 * v8; c21_0 += x21_2 * v11; c21_0 += x21_3 * v13;
    c21_1 += x21_0 * v6; c21_1 += x21_1 * v10; c21_1 += x21_2 * v12; c21_1 += x21_3 * v14;
    let x22_0 = subgroupBroadcast(v3.x, 6u); let x22_1 = subgroupBroadcast(v3.y, 6u); let x22_2 = subgroupBroadcast(v3.z, 6u); let x22_3 = subgroupBroadcast(v3.w, 6u);
    c22_0 += x22_0 * v5; c22_0 += x22_1 * v8; c22_0 += x22_2 * v11; c22_0 += x22_3 * v13;
    c22_1 += x22_0 * v6; c22_1 += x22_1 * v10; c22_1 += x22_2 * v12; c22_1 += x22_3 * v14;
    let x23_0 = subgroupBroadcast(v3.x, 7u); let x23_1 = subgroupBroadcast(v3.y, 7u); let x23_2 = subgroupBroadcast(v3.z, 7u); let x23_3 = subgroupBroadcast(v3.w, 7u);
    c23_0 += x23_0 * v5; c23_0 += x23_1 * v8; c23_0 += x23_2 * v11; c23_0 += x23_3 * v13;
    c23_1 += x23_0 * v6; c23_1 += x23_1 * v10; c23_1 += x23_2 * v12; c23_1 += x23_3 * v14;
    let x24_0 = subgroupBroadcast(v4.x, 0u); let x24_1 = subgroupBroadcast(v4.y, 0u); let x24_2 = subgroupBroadcast(v4.z, 0u); let x24_3 = subgroupBroadcast(v4.w, 0u);
    c24_0 += x24_0 * v5; c24_0 += x24_1 * v8; c24_0 += x24_2 * v11; c24_0 += x24_3 * v13;
    c24_1 += x24_0 * v6; c24_1 += x24_1 * v10; c24_1 += x24_2 * v12; c24_1 += x24_3 * v14;
    let x25_0 = subgroupBroadcast(v4.x, 1u); let x25_1 = subgroupBroadcast(v4.y, 1u); let x25_2 = subgroupBroadcast(v4.z, 1u); let x25_3 = subgroupBroadcast(v4.w, 1u);
    c25_0 += x25_0 * v5; c25_0 += x25_1 * v8; c25_0 += x25_2 * v11; c25_0 += x25_3 * v13;
    c25_1 += x25_0 * v6; c25_1 += x25_1 * v10; c25_1 += x25_2 * v12; c25_1 += x25_3 * v14;
    let x26_0 = subgroupBroadcast(v4.x, 2u); let x26_1 = subgroupBroadcast(v4.y, 2u); let x26_2 = subgroupBroadcast(v4.z, 2u); let x26_3 = subgroupBroadcast(v4.w, 2u);
    c26_0 += x26_0 * v5; c26_0 += x26_1 * v8; c26_0 += x26_2 * v11; c26_0 += x26_3 * v13;
    c26_1 += x26_0 * v6; c26_1 += x26_1 * v10; c26_1 += x26_2 * v12; c26_1 += x26_3 * v14;
    let x27_0 = subgroupBroadcast(v4.x, 3u); let x27_1 = subgroupBroadcast(v4.y, 3u); let x27_2 = subgroupBroadcast(v4.z, 3u); let x27_3 = subgroupBroadcast(v4.w, 3u);
    c27_0 += x27_0 * v5; c27_0 += x27_1 * v8; c27_0 += x27_2 * v11; c27_0 += x27_3 * v13;
    c27_1 += x27_0 * v6; c27_1 += x27_1 * v10; c27_1 += x27_2 * v12; c27_1 += x27_3 * v14;
    let x28_0 = subgroupBroadcast(v4.x, 4u); let x28_1 = subgroupBroadcast(v4.y, 4u); let x28_2 = subgroupBroadcast(v4.z, 4u); let x28_3 = subgroupBroadcast(v4.w, 4u);
    c28_0 += x28_0 * v5; c28_0 += x28_1 * v8; c28_0 += x28_2 * v11; c28_0 += x28_3 * v13;
    c28_1 += x28_0 * v6; c28_1 += x28_1 * v10; c28_1 += x28_2 * v12; c28_1 += x28_3 * v14;
    let x29_0 = subgroupBroadcast(v4.x, 5u); let x29_1 = subgroupBroadcast(v4.y, 5u); let x29_2 = subgroupBroadcast(v4.z, 5u); let x29_3 = subgroupBroadcast(v4.w, 5u);
    c29_0 += x29_0 * v5; c29_0 += x29_1 * v8; c29_0 += x29_2 * v11; c29_0 += x29_3 * v13;
    c29_1 += x29_0 * v6; c29_1 += x29_1 * v10; c29_1 += x29_2 * v12; c29_1 += x29_3 * v14;
    let x30_0 = subgroupBroadcast(v4.x, 6u); let x30_1 = subgroupBroadcast(v4.y, 6u); let x30_2 = subgroupBroadcast(v4.z, 6u); let x30_3 = subgroupBroadcast(v4.w, 6u);
    c30_0 += x30_0 * v5; c30_0 += x30_1 * v8; c30_0 += x30_2 * v11; c30_0 += x30_3 * v13;
    c30_1 += x30_0 * v6; c30_1 += x30_1 * v10; c30_1 += x30_2 * v12; c30_1 += x30_3 * v14;
    let x31_0 = subgroupBroadcast(v4.x, 7u); let x31_1 = subgroupBroadcast(v4.y, 7u); let x31_2 = subgroupBroadcast(v4.z, 7u); let x31_3 = subgroupBroadcast(v4.w, 7u);
    c31_0 += x31_0 * v5; c31_0 += x31_1 * v8; c31_0 += x31_2 * v11; c31_0 += x31_3 * v13;
    c31_1 += x31_0 * v6; c31_1 += x31_1 * v10; c31_1 += x31_2 * v12; c31_1 += x31_3 * v14;
  }

  for (var r = 0u; r < 32u; r += 2u) {
    if (column < 80u) {
      let at16 = (((row + r) * 80u) + column);
      let v17 = x2[column / 4u];
      let v18 = (c0_0 + v17);
      let v19 = (vec4<f32>(0.5f) * v18);
      let v20 = (v18 * vec4<f32>(0.70710677f));
      let v21 = gc_erf_v4(v20);
      let v22 = (vec4<f32>(1.0f) + v21);
      let v23 = (v19 * v22);
      y0[(((row + r) * 80u) + column) / 4u] = v23;
    }
    if ((column + 32u) < 80u) {
      let at24 = (((row + r) * 80u) + (column + 32u));
      let v25 = x2[(column + 32u) / 4u];
      let v26 = (c0_1 + v25);
      let v27 = (vec4<f32>(0.5f) * v26);
      let v28 = (v26 * vec4<f32>(0.70710677f));
      let v29 = gc_erf_v4(v28);
      let v30 = (vec4<f32>(1.0f) + v29);
      let v31 = (v27 * v30);
      y0[(((row + r) * 80u) + (column + 32u)) / 4u] = v31;
    }
    if (column < 80u) {
      let at32 = (((row + r + 1u) * 80u) + column);
      let v33 = x2[column / 4u];
      let v34 = (c1_0 + v33);
      let v35 = (vec4<f32>(0.5f) * v34);
      let v36 = (v34 * vec4<f32>(0.70710677f));
      let v37 = gc_erf_v4(v36);
      let v38 = (vec4<f32>(1.0f) + v37);
      let v39 = (v35 * v38);
      y0[(((row + r + 1u) * 80u) + column) / 4u] = v39;
    }
    if ((column + 32u) < 80u) {
      let at40 = (((row + r + 1u) * 80u) + (column + 32u));
      let v41 = x2[(column + 32u) / 4u];
      let v42 = (c1_1 + v41);
      let v43 = (vec4<f32>(0.5f) * v42);
      let v44 = (v42 * vec4<f32>(0.70710677f));
      let v45 = gc_erf_v4(v44);
      let v46 = (vec4<f32>(1.0f) + v45);
      let v47 = (v43 * v46);
      y0[(((row + r + 1u) * 80u) + (column + 32u)) / 4u] = v47;
    }
    c0_0 = c2_0; c0_1 = c2_1;
    c1_0 = c3_0; c1_1 = c3_1;
    c2_0 = c4_0; c2_1 = c4_1;
    c3_0 = c5_0; c3_1 = c5_1;
    c4_0 = c6_0; c4_1 = c6_1;
    c5_0 = c7_0; c5_1 = c7_1;
    c6_0 = c8_0; c6_1 = c8_1;
    c7_0 = c9_0; c7_1 = c9_1;
    c8_0 = c10_0; c8_1 = c10_1;
    c9_0 = c11_0; c9_1 = c11_1;
    c10_0 = c12_0; c10_1 = c12_1;
    c11_0 = c13_0; c11_1 = c13_1;
    c12_0 = c14_0; c12_1 = c14_1;
    c13_0 = c15_0; c13_1 = c15_1;
    c14_0 = c16_0; c14_1 = c16_1;
    c15_0 = c17_0; c15_1 = c17_1;
    c16_0 = c18_0; c16_1 = c18_1;
    c17_0 = c19_0; c17_1 = c19_1;
    c18_0 = c20_0; c18_1 = c20_1;
    c19_0 = c21_0; c19_1 = c21_1;
    c20_0 = c22_0; c20_1 = c22_1;
    c21_0 = c23_0; c21_1 = c23_1;
    c22_0 = c24_0; c22_1 = c24_1;
    c23_0 = c25_0; c23_1 = c25_1;
    c24_0 = c26_0; c24_1 = c26_1;
    c25_0 = c27_0; c25_1 = c27_1;
    c26_0 = c28_0; c26_1 = c28_1;
    c27_0 = c29_0; c27_1 = c29_1;
    c28_0 = c30_0; c28_1 = c30_1;
    c29_0 = c31_0; c29_1 = c31_1;
  }
}
