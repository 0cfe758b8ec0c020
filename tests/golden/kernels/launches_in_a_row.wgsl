// megakernel_of_3: workgroups [(1, 1, 1)], binds read, read, read_write, read_write, needs subgroup
@group(0) @binding(0) var<storage, read> b0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> b1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> b2: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> b3: array<vec4<f32>>;

fn gc_unknown() -> u32 {
  return select(0u, 1u, arrayLength(&b0) == 0u);
}
fn gc_hold(x: f32) -> f32 {
  return bitcast<f32>(bitcast<u32>(x) + u32(gc_unknown()));
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
fn gc_tanh_v4(x: vec4<f32>) -> vec4<f32> {
  let a = abs(x);
  let u = x * x;
  let p = (((-0.0055286246 * u + 0.020483306) * u - 0.053692963) * u + 0.13330899) * u - 0.33333263;
  let far = 1.0 - 2.0 / (gc_exp_v4(min(2.0 * a, vec4<f32>(30.0))) + 1.0);
  let y = select(select(far, -far, x < vec4<f32>(0.0)), x + x * (u * p), a < vec4<f32>(0.625));
  return select(y, x, gc_isnan_v4(x) | (a < vec4<f32>(1e-4)));
}

fn member0(group: vec3<u32>, local: u32) {
  let tile = group.x + group.y * 1u;
  if (tile >= 1u) { return; }
  let batch = tile / 1u;
  let part = (tile / 1u) % 1u;
  let row = (tile / 1u) % 1u * 8u;
  let lane = local % 8u;
  let column = tile % 1u * 32u + lane * 4u;
  let m0 = min(row + lane, 3u);
  let n0 = min(column, 4u);
  let zero = gc_hold_v4(vec4<f32>());
  var c0_0 = zero;
  var c1_0 = zero;
  var c2_0 = zero;
  var c3_0 = zero;
  var c4_0 = zero;
  var c5_0 = zero;
  var c6_0 = zero;
  var c7_0 = zero;
  let k_end = min((part + 1u) * 8u, 8u);
  for (var k = part * 8u; k < k_end; k += 4u) {  // at most 2 turns
    // What is needed of the operands comes first, then one row after another with all its terms, so that a driver can
    // keep the sums of a row in registers: term after term, they all went to memory and back.
    let v1 = b0[((m0 * 8u) + k) / 4u];
    let v2 = b1[((k * 8u) + n0) / 4u];
    let at3 = ((k * 8u) + n0) / 4u;
    let v4 = b1[at3 + 2u];
    let v5 = b1[at3 + 4u];
    let v6 = b1[at3 + 6u];
    let x0_0 = subgroupBroadcast(v1.x, 0u);
    let x0_1 = subgroupBroadcast(v1.y, 0u);
    let x0_2 = subgroupBroadcast(v1.z, 0u);
    let x0_3 = subgroupBroadcast(v1.w, 0u);
    c0_0 += x0_0 * v2;
    c0_0 += x0_1 * v4;
    c0_0 += x0_2 * v5;
    c0_0 += x0_3 * v6;
    let x1_0 = subgroupBroadcast(v1.x, 1u);
    let x1_1 = subgroupBroadcast(v1.y, 1u);
    let x1_2 = subgroupBroadcast(v1.z, 1u);
    let x1_3 = subgroupBroadcast(v1.w, 1u);
    c1_0 += x1_0 * v2;
    c1_0 += x1_1 * v4;
    c1_0 += x1_2 * v5;
    c1_0 += x1_3 * v6;
    let x2_0 = subgroupBroadcast(v1.x, 2u);
    let x2_1 = subgroupBroadcast(v1.y, 2u);
    let x2_2 = subgroupBroadcast(v1.z, 2u);
    let x2_3 = subgroupBroadcast(v1.w, 2u);
    c2_0 += x2_0 * v2;
    c2_0 += x2_1 * v4;
    c2_0 += x2_2 * v5;
    c2_0 += x2_3 * v6;
    let x3_0 = subgroupBroadcast(v1.x, 3u);
    let x3_1 = subgroupBroadcast(v1.y, 3u);
    let x3_2 = subgroupBroadcast(v1.z, 3u);
    let x3_3 = subgroupBroadcast(v1.w, 3u);
    c3_0 += x3_0 * v2;
    c3_0 += x3_1 * v4;
    c3_0 += x3_2 * v5;
    c3_0 += x3_3 * v6;
    let x4_0 = subgroupBroadcast(v1.x, 4u);
    let x4_1 = subgroupBroadcast(v1.y, 4u);
    let x4_2 = subgroupBroadcast(v1.z, 4u);
    let x4_3 = subgroupBroadcast(v1.w, 4u);
    c4_0 += x4_0 * v2;
    c4_0 += x4_1 * v4;
    c4_0 += x4_2 * v5;
    c4_0 += x4_3 * v6;
    let x5_0 = subgroupBroadcast(v1.x, 5u);
    let x5_1 = subgroupBroadcast(v1.y, 5u);
    let x5_2 = subgroupBroadcast(v1.z, 5u);
    let x5_3 = subgroupBroadcast(v1.w, 5u);
    c5_0 += x5_0 * v2;
    c5_0 += x5_1 * v4;
    c5_0 += x5_2 * v5;
    c5_0 += x5_3 * v6;
    let x6_0 = subgroupBroadcast(v1.x, 6u);
    let x6_1 = subgroupBroadcast(v1.y, 6u);
    let x6_2 = subgroupBroadcast(v1.z, 6u);
    let x6_3 = subgroupBroadcast(v1.w, 6u);
    c6_0 += x6_0 * v2;
    c6_0 += x6_1 * v4;
    c6_0 += x6_2 * v5;
    c6_0 += x6_3 * v6;
    let x7_0 = subgroupBroadcast(v1.x, 7u);
    let x7_1 = subgroupBroadcast(v1.y, 7u);
    let x7_2 = subgroupBroadcast(v1.z, 7u);
    let x7_3 = subgroupBroadcast(v1.w, 7u);
    c7_0 += x7_0 * v2;
    c7_0 += x7_1 * v4;
    c7_0 += x7_2 * v5;
    c7_0 += x7_3 * v6;
  }
  if (row < 4u && column < 8u) {
    let v7 = gc_tanh_v4(c0_0);
    b2[((row * 8u) + column) / 4u] = v7;
  }
  if ((row + 1u) < 4u && column < 8u) {
    let at8 = (((row + 1u) * 8u) + column);
    let v9 = gc_tanh_v4(c1_0);
    b2[(((row + 1u) * 8u) + column) / 4u] = v9;
  }
  if ((row + 2u) < 4u && column < 8u) {
    let at10 = (((row + 2u) * 8u) + column);
    let v11 = gc_tanh_v4(c2_0);
    b2[(((row + 2u) * 8u) + column) / 4u] = v11;
  }
  if ((row + 3u) < 4u && column < 8u) {
    let at12 = (((row + 3u) * 8u) + column);
    let v13 = gc_tanh_v4(c3_0);
    b2[(((row + 3u) * 8u) + column) / 4u] = v13;
  }
}

fn member1(group: vec3<u32>, local: u32) {
  let tile = group.x + group.y * 1u;
  if (tile >= 1u) { return; }
  let batch = tile / 1u;
  let part = (tile / 1u) % 1u;
  let row = (tile / 1u) % 1u * 8u;
  let lane = local % 8u;
  let column = tile % 1u * 32u + lane * 4u;
  let m0 = min(row + lane, 3u);
  let n0 = min(column, 4u);
  let zero = gc_hold_v4(vec4<f32>());
  var c0_0 = zero;
  var c1_0 = zero;
  var c2_0 = zero;
  var c3_0 = zero;
  var c4_0 = zero;
  var c5_0 = zero;
  var c6_0 = zero;
  var c7_0 = zero;
  let k_end = min((part + 1u) * 8u, 8u);
  for (var k = part * 8u; k < k_end; k += 4u) {  // at most 2 turns
    // What is needed of the operands comes first, then one row after another with all its terms, so that a driver can
    // keep the sums of a row in registers: term after term, they all went to memory and back.
    let v1 = b2[((m0 * 8u) + k) / 4u];
    let v2 = b1[((k * 8u) + n0) / 4u];
    let at3 = ((k * 8u) + n0) / 4u;
    let v4 = b1[at3 + 2u];
    let v5 = b1[at3 + 4u];
    let v6 = b1[at3 + 6u];
    let x0_0 = subgroupBroadcast(v1.x, 0u);
    let x0_1 = subgroupBroadcast(v1.y, 0u);
    let x0_2 = subgroupBroadcast(v1.z, 0u);
    let x0_3 = subgroupBroadcast(v1.w, 0u);
    c0_0 += x0_0 * v2;
    c0_0 += x0_1 * v4;
    c0_0 += x0_2 * v5;
    c0_0 += x0_3 * v6;
    let x1_0 = subgroupBroadcast(v1.x, 1u);
    let x1_1 = subgroupBroadcast(v1.y, 1u);
    let x1_2 = subgroupBroadcast(v1.z, 1u);
    let x1_3 = subgroupBroadcast(v1.w, 1u);
    c1_0 += x1_0 * v2;
    c1_0 += x1_1 * v4;
    c1_0 += x1_2 * v5;
    c1_0 += x1_3 * v6;
    let x2_0 = subgroupBroadcast(v1.x, 2u);
    let x2_1 = subgroupBroadcast(v1.y, 2u);
    let x2_2 = subgroupBroadcast(v1.z, 2u);
    let x2_3 = subgroupBroadcast(v1.w, 2u);
    c2_0 += x2_0 * v2;
    c2_0 += x2_1 * v4;
    c2_0 += x2_2 * v5;
    c2_0 += x2_3 * v6;
    let x3_0 = subgroupBroadcast(v1.x, 3u);
    let x3_1 = subgroupBroadcast(v1.y, 3u);
    let x3_2 = subgroupBroadcast(v1.z, 3u);
    let x3_3 = subgroupBroadcast(v1.w, 3u);
    c3_0 += x3_0 * v2;
    c3_0 += x3_1 * v4;
    c3_0 += x3_2 * v5;
    c3_0 += x3_3 * v6;
    let x4_0 = subgroupBroadcast(v1.x, 4u);
    let x4_1 = subgroupBroadcast(v1.y, 4u);
    let x4_2 = subgroupBroadcast(v1.z, 4u);
    let x4_3 = subgroupBroadcast(v1.w, 4u);
    c4_0 += x4_0 * v2;
    c4_0 += x4_1 * v4;
    c4_0 += x4_2 * v5;
    c4_0 += x4_3 * v6;
    let x5_0 = subgroupBroadcast(v1.x, 5u);
    let x5_1 = subgroupBroadcast(v1.y, 5u);
    let x5_2 = subgroupBroadcast(v1.z, 5u);
    let x5_3 = subgroupBroadcast(v1.w, 5u);
    c5_0 += x5_0 * v2;
    c5_0 += x5_1 * v4;
    c5_0 += x5_2 * v5;
    c5_0 += x5_3 * v6;
    let x6_0 = subgroupBroadcast(v1.x, 6u);
    let x6_1 = subgroupBroadcast(v1.y, 6u);
    let x6_2 = subgroupBroadcast(v1.z, 6u);
    let x6_3 = subgroupBroadcast(v1.w, 6u);
    c6_0 += x6_0 * v2;
    c6_0 += x6_1 * v4;
    c6_0 += x6_2 * v5;
    c6_0 += x6_3 * v6;
    let x7_0 = subgroupBroadcast(v1.x, 7u);
    let x7_1 = subgroupBroadcast(v1.y, 7u);
    let x7_2 = subgroupBroadcast(v1.z, 7u);
    let x7_3 = subgroupBroadcast(v1.w, 7u);
    c7_0 += x7_0 * v2;
    c7_0 += x7_1 * v4;
    c7_0 += x7_2 * v5;
    c7_0 += x7_3 * v6;
  }
  if (row < 4u && column < 8u) {
    b2[16u + (((row * 8u) + column) / 4u)] = c0_0;
  }
  if ((row + 1u) < 4u && column < 8u) {
    let at7 = (((row + 1u) * 8u) + column);
    b2[16u + ((((row + 1u) * 8u) + column) / 4u)] = c1_0;
  }
  if ((row + 2u) < 4u && column < 8u) {
    let at8 = (((row + 2u) * 8u) + column);
    b2[16u + ((((row + 2u) * 8u) + column) / 4u)] = c2_0;
  }
  if ((row + 3u) < 4u && column < 8u) {
    let at9 = (((row + 3u) * 8u) + column);
    b2[16u + ((((row + 3u) * 8u) + column) / 4u)] = c3_0;
  }
}

fn member2(group: vec3<u32>, local: u32) {
  let row = group.x * 64u + local;
  let lane = 0u;
  if (row >= 4u) { return; }
  let v1 = b2[16u + (((row * 8u) + 0u) / 4u)];
  let v2 = b2[16u + (((row * 8u) + 4u) / 4u)];
  let v3 = gc_max_v4(v1, v2);
  let v4 = gc_max(v3.x, v3.y);
  let v5 = gc_max(v3.z, v3.w);
  let v6 = gc_max(v4, v5);
  let v7 = gc_hold(v6);
  let v8 = (v1 - vec4<f32>(v7));
  let v9 = gc_exp_v4(v8);
  let v10 = (v2 - vec4<f32>(v7));
  let v11 = gc_exp_v4(v10);
  let v12 = (v9 + v11);
  let v13 = (v12.x + v12.y);
  let v14 = (v12.z + v12.w);
  let v15 = (v13 + v14);
  let v16 = gc_hold(v15);
  let v17 = (v9 / vec4<f32>(v16));
  b3[((row * 8u) + 0u) / 4u] = v17;
  let v18 = (v11 / vec4<f32>(v16));
  b3[((row * 8u) + 4u) / 4u] = v18;
}

// megakernel: 3 small kernels, one after the other, in one workgroup; a barrier where one needs what another wrote
// grid: one workgroup; what were workgroups and invocations of a kernel is shared out over its 8 invocations
@compute @workgroup_size(8)
fn main(@builtin(local_invocation_index) local: u32) {
  member0(vec3<u32>(), local);
  storageBarrier();
  member1(vec3<u32>(), local);
  storageBarrier();
  for (var t = local; t < 64u; t += 8u) { member2(vec3<u32>(t / 64u, 0u, 0u), t % 64u); }
}
