// conv_x_of_conv_add_le_where: workgroups [(16, 1, 1)], binds read, read_write
@group(0) @binding(0) var<storage, read> x0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> y0: array<vec4<f32>>;

// conv_pack: an operand of a convolution with the channels of each place side by side; x_of_conv_add_le_where
// grid: an invocation for four channels of four neighbouring elements; folded into y
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * 16u) * 256u + local;
  if (item >= 4096u) { return; }
  let at1 = ((item / 8u) % 4u);
  let at2 = (((item / 8u) / 4u) / 32u);
  let at3 = (((item / 8u) / 4u) % 32u);
  let at4 = ((item % 8u) * 4u);
  let at5 = (at1 * 4u);
  let v6 = x0[((((at2 * 16384u) + (at5 * 1024u)) + (at3 * 32u)) + at4) / 4u];
  let at7 = ((((at2 * 16384u) + (at5 * 1024u)) + (at3 * 32u)) + at4) / 4u;
  let v8 = x0[at7 + 256u];
  let v9 = x0[at7 + 512u];
  let v10 = x0[at7 + 768u];
  let at11 = ((at2 * 18496u) + (at3 * 544u));
  let at12 = (at4 + 0u);
  y0[(((at11 + (at12 * 16u)) + (at1 * 4u)) + 560u) / 4u] = vec4<f32>(v6.x, v8.x, v9.x, v10.x);
  let at13 = (at4 + 1u);
  y0[(((at11 + (at13 * 16u)) + (at1 * 4u)) + 560u) / 4u] = vec4<f32>(v6.y, v8.y, v9.y, v10.y);
  let at14 = (at4 + 2u);
  y0[(((at11 + (at14 * 16u)) + (at1 * 4u)) + 560u) / 4u] = vec4<f32>(v6.z, v8.z, v9.z, v10.z);
  let at15 = (at4 + 3u);
  y0[(((at11 + (at15 * 16u)) + (at1 * 4u)) + 560u) / 4u] = vec4<f32>(v6.w, v8.w, v9.w, v10.w);
}

// conv_w_of_conv_add_le_where: workgroups [(2, 1, 1)], binds read, read_write
@group(0) @binding(0) var<storage, read> x0: array<f32>;
@group(0) @binding(1) var<storage, read_write> y0: array<vec4<f32>>;

// conv_pack: an operand of a convolution with the channels of each place side by side; w_of_conv_add_le_where
// grid: an invocation for four channels of four neighbouring elements; folded into y
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * 2u) * 256u + local;
  if (item >= 384u) { return; }
  let at1 = (item % 4u);
  let at2 = ((item / 4u) / 3u);
  let at3 = ((item / 4u) % 3u);
  let at4 = (at1 * 4u);
  let at5 = ((((at2 * 144u) + (at4 * 9u)) + (at3 * 3u)) + 0u);
  let v6 = vec4<f32>(x0[at5], x0[at5 + 1u], x0[at5 + 2u], x0[at5 + 3u]);
  let v7 = vec4<f32>(x0[at5 + 9u], x0[at5 + 10u], x0[at5 + 11u], x0[at5 + 12u]);
  let v8 = vec4<f32>(x0[at5 + 18u], x0[at5 + 19u], x0[at5 + 20u], x0[at5 + 21u]);
  let v9 = vec4<f32>(x0[at5 + 27u], x0[at5 + 28u], x0[at5 + 29u], x0[at5 + 30u]);
  let at10 = ((at2 * 144u) + (at3 * 48u));
  let at11 = (0u + 0u);
  y0[((at10 + (at11 * 16u)) + (at1 * 4u)) / 4u] = vec4<f32>(v6.x, v7.x, v8.x, v9.x);
  let at12 = (0u + 1u);
  if (0u + 1u < 3u) {
    y0[((at10 + (at12 * 16u)) + (at1 * 4u)) / 4u] = vec4<f32>(v6.y, v7.y, v8.y, v9.y);
  }
  let at13 = (0u + 2u);
  if (0u + 2u < 3u) {
    y0[((at10 + (at13 * 16u)) + (at1 * 4u)) / 4u] = vec4<f32>(v6.z, v7.z, v8.z, v9.z);
  }
  let at14 = (0u + 3u);
  if (0u + 3u < 3u) {
    y0[((at10 + (at14 * 16u)) + (at1 * 4u)) / 4u] = vec4<f32>(v6.w, v7.w, v8.w, v9.w);
  }
}

// conv_add_le_where: workgroups [(128, 1, 1)], binds texture, texture, read, read_write, needs subgroup
@group(0) @binding(0) var t0: texture_storage_2d<rgba32float, read>;
@group(0) @binding(1) var t1: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var<storage, read> x0: array<f32>;
@group(0) @binding(3) var<storage, read_write> y0: array<vec4<f32>>;

fn gc_unknown() -> u32 {
  return select(0u, 1u, arrayLength(&x0) == 0u);
}
fn gc_hold(x: f32) -> f32 {
  return bitcast<f32>(bitcast<u32>(x) + u32(gc_unknown()));
}
fn gc_hold_v4(x: vec4<f32>) -> vec4<f32> {
  return bitcast<vec4<f32>>(bitcast<vec4<u32>>(x) + vec4<u32>(gc_unknown()));
}

// matmul: C[b, m, n] = epilogue(sum over k of A[b, m, k] B[b, k, n]); conv_add_le_where
// grid: one workgroup a tile of 32 x 32, tiles of one row of tiles side by side, then down, then
// 1 part(s) of the sum, then the batch; folded into y. Workgroup: 1 row(s) of 8 lanes along N.
@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let tile = group.x + group.y * 128u;
  if (tile >= 128u) { return; }
  let batch = tile / 128u;
  let part = (tile / 128u) % 1u;
  let row = (tile / 128u) % 1u * 32u;
  let lane = local % 8u;
  let column = tile % 128u * 32u + lane * 4u;
  let m0 = row + lane;
  let m1 = row + 8u + lane;
  let m2 = row + 16u + lane;
  let m3 = row + 24u + lane;
  let n0 = column;
  let n1 = (column + 1u);
  let n2 = (column + 2u);
  let n3 = (column + 3u);
  let at1 = (m0 * 144u);
  let at2 = (m1 * 144u);
  let at3 = (m2 * 144u);
  let at4 = (m3 * 144u);
  let start = column;
  let at5 = ((((((start / 1024u) * 34u) + ((start % 1024u) / 32u)) * 34u) + ((start % 1024u) % 32u)) * 16u);
  var c0_0 = f32(); var c0_1 = f32(); var c0_2 = f32(); var c0_3 = f32();
  var c1_0 = f32(); var c1_1 = f32(); var c1_2 = f32(); var c1_3 = f32();
  var c2_0 = f32(); var c2_1 = f32(); var c2_2 = f32(); var c2_3 = f32();
  var c3_0 = f32(); var c3_1 = f32(); var c3_2 = f32(); var c3_3 = f32();
  var c4_0 = f32(); var c4_1 = f32(); var c4_2 = f32(); var c4_3 = f32();
  var c5_0 = f32(); var c5_1 = f32(); var c5_2 = f32(); var c5_3 = f32();
  var c6_0 = f32(); var c6_1 = f32(); var c6_2 = f32(); var c6_3 = f32();
  var c7_0 = f32(); var c7_1 = f32(); var c7_2 = f32(); var c7_3 = f32();
  var c8_0 = f32(); var c8_1 = f32(); var c8_2 = f32(); var c8_3 = f32();
  var c9_0 = f32(); var c9_1 = f32(); var c9_2 = f32(); var c9_3 = f32();
  var c10_0 = f32(); var c10_1 = f32(); var c10_2 = f32(); var c10_3 = f32();
  var c11_0 = f32(); var c11_1 = f32(); var c11_2 = f32(); var c11_3 = f32();
  var c12_0 = f32(); var c12_1 = f32(); var c12_2 = f32(); var c12_3 = f32();
  var c13_0 = f32(); var c13_1 = f32(); var c13_2 = f32(); var c13_3 = f32();
  var c14_0 = f32(); var c14_1 = f32(); var c14_2 = f32(); var c14_3 = f32();
  var c15_0 = f32(); var c15_1 = f32(); var c15_2 = f32(); var c15_3 = f32();
  var c16_0 = f32(); var c16_1 = f32(); var c16_2 = f32(); var c16_3 = f32();
  var c17_0 = f32(); var c17_1 = f32(); var c17_2 = f32(); var c17_3 = f32();
  var c18_0 = f32(); var c18_1 = f32(); var c18_2 = f32(); var c18_3 = f32();
  var c19_0 = f32(); var c19_1 = f32(); var c19_2 = f32(); var c19_3 = f32();
  var c20_0 = f32(); var c20_1 = f32(); var c20_2 = f32(); var c20_3 = f32();
  var c21_0 = f32(); var c21_1 = f32(); var c21_2 = f32(); var c21_3 = f32();
  var c22_0 = f32(); var c22_1 = f32(); var c22_2 = f32(); var c22_3 = f32();
  var c23_0 = f32(); var c23_1 = f32(); var c23_2 = f32(); var c23_3 = f32();
  var c24_0 = f32(); var c24_1 = f32(); var c24_2 = f32(); var c24_3 = f32();
  var c25_0 = f32(); var c25_1 = f32(); var c25_2 = f32(); var c25_3 = f32();
  var c26_0 = f32(); var c26_1 = f32(); var c26_2 = f32(); var c26_3 = f32();
  var c27_0 = f32(); var c27_1 = f32(); var c27_2 = f32(); var c27_3 = f32();
  var c28_0 = f32(); var c28_1 = f32(); var c28_2 = f32(); var c28_3 = f32();
  var c29_0 = f32(); var c29_1 = f32(); var c29_2 = f32(); var c29_3 = f32();
  var c30_0 = f32(); var c30_1 = f32(); var c30_2 = f32(); var c30_3 = f32();
  var c31_0 = f32(); var c31_1 = f32(); var c31_2 = f32(); var c31_3 = f32();
  let k_end = min((part + 1u) * 48u, 48u);
  for (var k = part * 48u; k < k_end; k += 4u) {  // at most 12 turns
    let at6 = (((k / 16u) * 544u) + (k % 16u));
    let at7 = (((k / 16u) * 48u) + (k % 16u));
    let v8 = textureLoad(t0, vec2<u32>(((at1 + at7) % 1024u) / 4u, ((at1 + at7) / 1024u)));
    let v9 = textureLoad(t0, vec2<u32>(((at2 + at7) % 1024u) / 4u, ((at2 + at7) / 1024u)));
    let v10 = textureLoad(t0, vec2<u32>(((at3 + at7) % 1024u) / 4u, ((at3 + at7) / 1024u)));
    let v11 = textureLoad(t0, vec2<u32>(((at4 + at7) % 1024u) / 4u, ((at4 + at7) / 1024u)));
    let v12 = textureLoad(t0, vec2<u32>((((at1 + at7) + 16u) % 1024u) / 4u, (((at1 + at7) + 16u) / 1024u)));
    let v13 = textureLoad(t0, vec2<u32>((((at2 + at7) + 16u) % 1024u) / 4u, (((at2 + at7) + 16u) / 1024u)));
    let v14 = textureLoad(t0, vec2<u32>((((at3 + at7) + 16u) % 1024u) / 4u, (((at3 + at7) + 16u) / 1024u)));
    let v15 = textureLoad(t0, vec2<u32>((((at4 + at7) + 16u) % 1024u) / 4u, (((at4 + at7) + 16u) / 1024u)));
    let v16 = textureLoad(t0, vec2<u32>((((at1 + at7) + 32u) % 1024u) / 4u, (((at1 + at7) + 32u) / 1024u)));
    let v17 = textureLoad(t0, vec2<u32>((((at2 + at7) + 32u) % 1024u) / 4u, (((at2 + at7) + 32u) / 1024u)));
    let v18 = textureLoad(t0, vec2<u32>((((at3 + at7) + 32u) % 1024u) / 4u, (((at3 + at7) + 32u) / 1024u)));
    let v19 = textureLoad(t0, vec2<u32>((((at4 + at7) + 32u) % 1024u) / 4u, (((at4 + at7) + 32u) / 1024u)));
    let v20 = textureLoad(t1, vec2<u32>(((at5 + at6) % 1024u) / 4u, ((at5 + at6) / 1024u)));
    let v21 = textureLoad(t1, vec2<u32>((((at5 + at6) + 16u) % 1024u) / 4u, (((at5 + at6) + 16u) / 1024u)));
    let v22 = textureLoad(t1, vec2<u32>((((at5 + at6) + 32u) % 1024u) / 4u, (((at5 + at6) + 32u) / 1024u)));
    let v23 = textureLoad(t1, vec2<u32>((((at5 + at6) + 48u) % 1024u) / 4u, (((at5 + at6) + 48u) / 1024u)));
    let v24 = textureLoad(t1, vec2<u32>((((at5 + at6) + 64u) % 1024u) / 4u, (((at5 + at6) + 64u) / 1024u)));
    let v25 = textureLoad(t1, vec2<u32>((((at5 + at6) + 80u) % 1024u) / 4u, (((at5 + at6) + 80u) / 1024u)));
    let x0_00 = subgroupBroadcast(v8.x, 0u); let x0_01 = subgroupBroadcast(v8.y, 0u); let x0_02 = subgroupBroadcast(v8.z, 0u); let x0_03 = subgroupBroadcast(v8.w, 0u); let x0_10 = subgroupBroadcast(v12.x, 0u); let x0_11 = subgroupBroadcast(v12.y, 0u); let x0_12 = subgroupBroadcast(v12.z, 0u); let x0_13 = subgroupBroadcast(v12.w, 0u); let x0_20 = subgroupBroadcast(v16.x, 0u); let x0_21 = subgroupBroadcast(v16.y, 0u); let x0_22 = subgroupBroadcast(v16.z, 0u); let x0_23 = subgroupBroadcast(v16.w, 0u);
    c0_0 += x0_00 * v20.x; c0_0 += x0_01 * v20.y; c0_0 += x0_02 * v20.z; c0_0 += x0_03 * v20.w; c0_0 += x0_10 * v21.x; c0_0 += x0_11 * v21.y; c0_0 += x0_12 * v21.z; c0_0 += x0_13 * v21.w; c0_0 += x0_20 * v22.x; c0_0 += x0_21 * v22.y; c0_0 += x0_22 * v22.z; c0_0 += x0_23 * v22.w;
    c0_1 += x0_00 * v21.x; c0_1 += x0_01 * v21.y; c0_1 += x0_02 * v21.z; c0_1 += x0_03 * v21.w; c0_1 += x0_10 * v22.x; c0_1 += x0_11 * v22.y; c0_1 += x0_12 * v22.z; c0_1 += x0_13 * v22.w; c0_1 += x0_20 * v23.x; c0_1 += x0_21 * v23.y; c0_1 += x0_22 * v23.z; c0_1 += x0_23 * v23.w;
    c0_2 += x0_00 * v22.x; c0_2 += x0_01 * v22.y; c0_2 += x0_02 * v22.z; c0_2 += x0_03 * v22.w; c0_2 += x0_10 * v23.x; c0_2 += x0_11 * v23.y; c0_2 += x0_12 * v23.z; c0_2 += x0_13 * v23.w; c0_2 += x0_20 * v24.x; c0_2 += x0_21 * v24.y; c0_2 += x0_22 * v24.z; c0_2 += x0_23 * v24.w;
    c0_3 += x0_00 * v23.x; c0_3 += x0_01 * v23.y; c0_3 += x0_02 * v23.z; c0_3 += x0_03 * v23.w; c0_3 += x0_10 * v24.x; c0_3 += x0_11 * v24.y; c0_3 += x0_12 * v24.z; c0_3 += x0_13 * v24.w; c0_3 += x0_20 * v25.x; c0_3 += x0_21 * v25.y; c0_3 += x0_22 * v25.z; c0_3 += x0_23 * v25.w;
    let x1_00 = subgroupBroadcast(v8.x, 1u); let x1_01 = subgroupBroadcast(v8.y, 1u); let x1_02 = subgroupBroadcast(v8.z, 1u); let x1_03 = subgroupBroadcast(v8.w, 1u); let x1_10 = subgroupBroadcast(v12.x, 1u); let x1_11 = subgroupBroadcast(v12.y, 1u); let x1_12 = subgroupBroadcast(v12.z, 1u); let x1_13 = subgroupBroadcast(v12.w, 1u); let x1_20 = subgroupBroadcast(v16.x, 1u); let x1_21 = subgroupBroadcast(v16.y, 1u); let x1_22 = subgroupBroadcast(v16.z, 1u); let x1_23 = subgroupBroadcast(v16.w, 1u);
    c1_0 += x1_00 * v20.x; c1_0 += x1_01 * v20.y; c1_0 += x1_02 * v20.z; c1_0 += x1_03 * v20.w; c1_0 += x1_10 * v21.x; c1_0 += x1_11 * v21.y; c1_0 += x1_12 * v21.z; c1_0 += x1_13 * v21.w; c1_0 += x1_20 * v22.x; c1_0 += x1_21 * v22.y; c1_0 += x1_22 * v22.z; c1_0 += x1_23 * v22.w;
    c1_1 += x1_00 * v21.x; c1_1 += x1_01 * v21.y; c1_1 += x1_02 * v21.z; c1_1 += x1_03 * v21.w; c1_1 += x1_10 * v22.x; c1_1 += x1_11 * v22.y; c1_1 += x1_12 * v22.z; c1_1 += x1_13 * v22.w; c1_1 += x1_20 * v23.x; c1_1 += x1_21 * v23.y; c1_1 += x1_22 * v23.z; c1_1 += x1_23 * v23.w;
    c1_2 += x1_00 * v22.x; c1_2 += x1_01 * v22.y; c1_2 += x1_02 * v22.z; c1_2 += x1_03 * v22.w; c1_2 += x1_10 * v23.x; c1_2 += x1_11 * v23.y; c1_2 += x1_12 * v23.z; c1_2 += x1_13 * v23.w; c1_2 += x1_20 * v24.x; c1_2 += x1_21 * v24.y; c1_2 += x1_22 * v24.z; c1_2 += x1_23 * v24.w;
    c1_3 += x1_00 * v23.x; c1_3 += x1_01 * v23.y; c1_3 += x1_02 * v23.z; c1_3 += x1_03 * v23.w; c1_3 += x1_10 * v24.x; c1_3 += x1_11 * v24.y; c1_3 += x1_12 * v24.z; c1_3 += x1_13 * v24.w; c1_3 += x1_20 * v25.x; c1_3 += x1_21 * v25.y; c1_3 += x1_22 * v25.z; c1_3 += x1_23 * v25.w;
    let x2_00 = subgroupBroadcast(v8.x, 2u); let x2_01 = subgroupBroadcast(v8.y, 2u); let x2_02 = subgroupBroadcast(v8.z, 2u); let x2_03 = subgroupBroadcast(v8.w, 2u); let x2_10 = subgroupBroadcast(v12.x, 2u); let x2_11 = subgroupBroadcast(v12.y, 2u); let x2_12 = subgroupBroadcast(v12.z, 2u); let x2_13 = subgroupBroadcast(v12.w, 2u); let x2_20 = subgroupBroadcast(v16.x, 2u); let x2_21 = subgroupBroadcast(v16.y, 2u); let x2_22 = subgroupBroadcast(v16.z, 2u); let x2_23 = subgroupBroadcast(v16.w, 2u);
    c2_0 += x2_00 * v20.x; c2_0 += x2_01 * v20.y; c2_0 += x2_02 * v20.z; c2_0 += x2_03 * v20.w; c2_0 += x2_10 * v21.x; c2_0 += x2_11 * v21.y; c2_0 += x2_12 * v21.z; c2_0 += x2_13 * v21.w; c2_0 += x2_20 * v22.x; c2_0 += x2_21 * v22.y; c2_0 += x2_22 * v22.z; c2_0 += x2_23 * v22.w;
    c2_1 += x2_00 * v21.x; c2_1 += x2_01 * v21.y; c2_1 += x2_02 * v21.z; c2_1 += x2_03 * v21.w; c2_1 += x2_10 * v22.x; c2_1 += x2_11 * v22.y; c2_1 += x2_12 * v22.z; c2_1 += x2_13 * v22.w; c2_1 += x2_20 * v23.x; c2_1 += x2_21 * v23.y; c2_1 += x2_22 * v23.z; c2_1 += x2_23 * v23.w;
    c2_2 += x2_00 * v22.x; c2_2 += x2_01 * v22.y; c2_2 += x2_02 * v22.z; c2_2 += x2_03 * v22.w; c2_2 += x2_10 * v23.x; c2_2 += x2_11 * v23.y; c2_2 += x2_12 * v23.z; c2_2 += x2_13 * v23.w; c2_2 += x2_20 * v24.x; c2_2 += x2_21 * v24.y; c2_2 += x2_22 * v24.z; c2_2 += x2_23 * v24.w;
    c2_3 += x2_00 * v23.x; c2_3 += x2_01 * v23.y; c2_3 += x2_02 * v23.z; c2_3 += x2_03 * v23.w; c2_3 += x2_10 * v24.x; c2_3 += x2_11 * v24.y; c2_3 += x2_12 * v24.z; c2_3 += x2_13 * v24.w; c2_3 += x2_20 * v25.x; c2_3 += x2_21 * v25.y; c2_3 += x2_22 * v25.z; c2_3 += x2_23 * v25.w;
    let x3_00 = subgroupBroadcast(v8.x, 3u); let x3_01 = subgroupBroadcast(v8.y, 3u); let x3_02 = subgroupBroadcast(v8.z, 3u); let x3_03 = subgroupBroadcast(v8.w, 3u); let x3_10 = subgroupBroadcast(v12.x, 3u); let x3_11 = subgroupBroadcast(v12.y, 3u); let x3_12 = subgroupBroadcast(v12.z, 3u); let x3_13 = subgroupBroadcast(v12.w, 3u); let x3_20 = subgroupBroadcast(v16.x, 3u); let x3_21 = subgroupBroadcast(v16.y, 3u); let x3_22 = subgroupBroadcast(v16.z, 3u); let x3_23 = subgroupBroadcast(v16.w, 3u);
    c3_0 += x3_00 * v20.x; c3_0 += x3_01 * v20.y; c3_0 += x3_02 * v20.z; c3_0 += x3_03 * v20.w; c3_0 += x3_10 * v21.x; c3_0 += x3_11 * v21.y; c3_0 += x3_12 * v21.z; c3_0 += x3_13 * v21.w; c3_0 += x3_20 * v22.x; c3_0 += x3_21 * v22.y; c3_0 += x3_22 * v22.z; c3_0 += x3_23 * v22.w;
    c3_1 += x3_00 * v21.x; c3_1 += x3_01 * v21.y; c3_1 += x3_02 * v21.z; c3_1 += x3_03 * v21.w; c3_1 += x3_10 * v22.x; c3_1 += x3_11 * v22.y; c3_1 += x3_12 * v22.z; c3_1 += x3_13 * v22.w; c3_1 += x3_20 * v23.x; c3_1 += x3_21 * v23.y; c3_1 += x3_22 * v23.z; c3_1 += x3_23 * v23.w;
    c3_2 += x3_00 * v22.x; c3_2 += x3_01 * v22.y; c3_2 += x3_02 * v22.z; c3_2 += x3_03 * v22.w; c3_2 += x3_10 * v23.x; c3_2 += x3_11 * v23.y; c3_2 += x3_12 * v23.z; c3_2 += x3_13 * v23.w; c3_2 += x3_20 * v24.x; c3_2 += x3_21 * v24.y; c3_2 += x3_22 * v24.z; c3_2 += x3_23 * v24.w;
    c3_3 += x3_00 * v23.x; c3_3 += x3_01 * v23.y; c3_3 += x3_02 * v23.z; c3_3 += x3_03 * v23.w; c3_3 += x3_10 * v24.x; c3_3 += x3_11 * v24.y; c3_3 += x3_12 * v24.z; c3_3 += x3_13 * v24.w; c3_3 += x3_20 * v25.x; c3_3 += x3_21 * v25.y; c3_3 += x3_22 * v25.z; c3_3 += x3_23 * v25.w;
    let x4_00 = subgroupBroadcast(v8.x, 4u); let x4_01 = subgroupBroadcast(v8.y, 4u); let x4_02 = subgroupBroadcast(v8.z, 4u); let x4_03 = subgroupBroadcast(v8.w, 4u); let x4_10 = subgroupBroadcast(v12.x, 4u); let x4_11 = subgroupBroadcast(v12.y, 4u); let x4_12 = subgroupBroadcast(v12.z, 4u); let x4_13 = subgroupBroadcast(v12.w, 4u); let x4_20 = subgroupBroadcast(v16.x, 4u); let x4_21 = subgroupBroadcast(v16.y, 4u); let x4_22 = subgroupBroadcast(v16.z, 4u); let x4_23 = subgroupBroadcast(v16.w, 4u);
    c4_0 += x4_00 * v20.x; c4_0 += x4_01 * v20.y; c4_0 += x4_02 * v20.z; c4_0 += x4_03 * v20.w; c4_0 += x4_10 * v21.x; c4_0 += x4_11 * v21.y; c4_0 += x4_12 * v21.z; c4_0 += x4_13 * v21.w; c4_0 += x4_20 * v22.x; c4_0 += x4_21 * v22.y; c4_0 += x4_22 * v22.z; c4_0 += x4_23 * v22.w;
    c4_1 += x4_00 * v21.x; c4_1 += x4_01 * v21.y; c4_1 += x4_02 * v21.z; c4_1 += x4_03 * v21.w; c4_1 += x4_10 * v22.x; c4_1 += x4_11 * v22.y; c4_1 += x4_12 * v22.z; c4_1 += x4_13 * v22.w; c4_1 += x4_20 * v23.x; c4_1 += x4_21 * v23.y; c4_1 += x4_22 * v23.z; c4_1 += x4_23 * v23.w;
    c4_2 += x4_00 * v22.x; c4_2 += x4_01 * v22.y; c4_2 += x4_02 * v22.z; c4_2 += x4_03 * v22.w; c4_2 += x4_10 * v23.x; c4_2 += x4_11 * v23.y; c4_2 += x4_12 * v23.z; c4_2 += x4_13 * v23.w; c4_2 += x4_20 * v24.x; c4_2 += x4_21 * v24.y; c4_2 += x4_22 * v24.z; c4_2 += x4_23 * v24.w;
    c4_3 += x4_00 * v23.x; c4_3 += x4_01 * v23.y; c4_3 += x4_02 * v23.z; c4_3 += x4_03 * v23.w; c4_3 += x4_10 * v24.x; c4_3 += x4_11 * v24.y; c4_3 += x4_12 * v24.z; c4_3 += x4_13 * v24.w; c4_3 += x4_20 * v25.x; c4_3 += x4_21 * v25.y; c4_3 += x4_22 * v25.z; c4_3 += x4_23 * v25.w;
    let x5_00 = subgroupBroadcast(v8.x, 5u); let x5_01 = subgroupBroadcast(v8.y, 5u); let x5_02 = subgroupBroadcast(v8.z, 5u); let x5_03 = subgroupBroadcast(v8.w, 5u); let x5_10 = subgroupBroadcast(v12.x, 5u); let x5_11 = subgroupBroadcast(v12.y, 5u); let x5_12 = subgroupBroadcast(v12.z, 5u); let x5_13 = subgroupBroadcast(v12.w, 5u); let x5_20 = subgroupBroadcast(v16.x, 5u); let x5_21 = subgroupBroadcast(v16.y, 5u); let x5_22 = subgroupBroadcast(v16.z, 5u); let x5_23 = subgroupBroadcast(v16.w, 5u);
    c5_0 += x5_00 * v20.x; c5_0 += x5_01 * v20.y; c5_0 += x5_02 * v20.z; c5_0 += x5_03 * v20.w; c5_0 += x5_10 * v21.x; c5_0 += x5_11 * v21.y; c5_0 += x5_12 * v21.z; c5_0 += x5_13 * v21.w; c5_0 += x5_20 * v22.x; c5_0 += x5_21 * v22.y; c5_0 += x5_22 * v22.z; c5_0 += x5_23 * v22.w;
    c5_1 += x5_00 * v21.x; c5_1 += x5_01 * v21.y; c5_1 += x5_02 * v21.z; c5_1 += x5_03 * v21.w; c5_1 += x5_10 * v22.x; c5_1 += x5_11 * v22.y; c5_1 += x5_12 * v22.z; c5_1 += x5_13 * v22.w; c5_1 += x5_20 * v23.x; c5_1 += x5_21 * v23.y; c5_1 += x5_22 * v23.z; c5_1 += x5_23 * v23.w;
    c5_2 += x5_00 * v22.x; c5_2 += x5_01 * v22.y; c5_2 += x5_02 * v22.z; c5_2 += x5_03 * v22.w; c5_2 += x5_10 * v23.x; c5_2 += x5_11 * v23.y; c5_2 += x5_12 * v23.z; c5_2 += x5_13 * v23.w; c5_2 += x5_20 * v24.x; c5_2 += x5_21 * v24.y; c5_2 += x5_22 * v24.z; c5_2 += x5_23 * v24.w;
    c5_3 += x5_00 * v23.x; c5_3 += x5_01 * v23.y; c5_3 += x5_02 * v23.z; c5_3 += x5_03 * v23.w; c5_3 += x5_10 * v24.x; c5_3 += x5_11 * v24.y; c5_3 += x5_12 * v24.z; c5_3 += x5_13 * v24.w; c5_3 += x5_20 * v25.x; c5_3 += x5_21 * v25.y; c5_3 += x5_22 * v25.z; c5_3 += x5_23 * v25.w;
    let x6_00 = subgroupBroadcast(v8.x, 6u); let x6_01 = subgroupBroadcast(v8.y, 6u); let x6_02 = subgroupBroadcast(v8.z, 6u); let x6_03 = subgroupBroadcast(v8.w, 6u); let x6_10 = subgroupBroadcast(v12.x, 6u); let x6_11 = subgroupBroadcast(v12.y, 6u); let x6_12 = subgroupBroadcast(v12.z, 6u); let x6_13 = subgroupBroadcast(v12.w, 6u); let x6_20 = subgroupBroadcast(v16.x, 6u); let x6_21 = subgroupBroadcast(v16.y, 6u); let x6_22 = subgroupBroadcast(v16.z, 6u); let x6_23 = subgroupBroadcast(v16.w, 6u);
    c6_0 += x6_00 * v20.x; c6_0 += x6_01 * v20.y; c6_0 += x6_02 * v20.z; c6_0 += x6_03 * v20.w; c6_0 += x6_10 * v21.x; c6_0 += x6_11 * v21.y; c6_0 += x6_12 * v21.z; c6_0 += x6_13 * v21.w; c6_0 += x6_20 * v22.x; c6_0 += x6_21 * v22.y; c6_0 += x6_22 * v22.z; c6_0 += x6_23 * v22.w;
    c6_1 += x6_00 * v21.x; c6_1 += x6_01 * v21.y; c6_1 += x6_02 * v21.z; c6_1 += x6_03 * v21.w; c6_1 += x6_10 * v22.x; c6_1 += x6_11 * v22.y; c6_1 += x6_12 * v22.z; c6_1 += x6_13 * v22.w; c6_1 += x6_20 * v23.x; c6_1 += x6_21 * v23.y; c6_1 += x6_22 * v23.z; c6_1 += x6_23 * v23.w;
    c6_2 += x6_00 * v22.x; c6_2 += x6_01 * v22.y; c6_2 += x6_02 * v22.z; c6_2 += x6_03 * v22.w; c6_2 += x6_10 * v23.x; c6_2 += x6_11 * v23.y; c6_2 += x6_12 * v23.z; c6_2 += x6_13 * v23.w; c6_2 += x6_20 * v24.x; c6_2 += x6_21 * v24.y; c6_2 += x6_22 * v24.z; c6_2 += x6_23 * v24.w;
    c6_3 += x6_00 * v23.x; c6_3 += x6_01 * v23.y; c6_3 += x6_02 * v23.z; c6_3 += x6_03 * v23.w; c6_3 += x6_10 * v24.x; c6_3 += x6_11 * v24.y; c6_3 += x6_12 * v24.z; c6_3 += x6_13 * v24.w; c6_3 += x6_20 * v25.x; c6_3 += x6_21 * v25.y; c6_3 += x6_22 * v25.z; c6_3 += x6_23 * v25.w;
    let x7_00 = subgroupBroadcast(v8.x, 7u); let x7_01 = subgroupBroadcast(v8.y, 7u); let x7_02 = subgroupBroadcast(v8.z, 7u); let x7_03 = subgroupBroadcast(v8.w, 7u); let x7_10 = subgroupBroadcast(v12.x, 7u); let x7_11 = subgroupBroadcast(v12.y, 7u); let x7_12 = subgroupBroadcast(v12.z, 7u); let x7_13 = subgroupBroadcast(v12.w, 7u); let x7_20 = subgroupBroadcast(v16.x, 7u); let x7_21 = subgroupBroadcast(v16.y, 7u); let x7_22 = subgroupBroadcast(v16.z, 7u); let x7_23 = subgroupBroadcast(v16.w, 7u);
    c7_0 += x7_00 * v20.x; c7_0 += x7_01 * v20.y; c7_0 += x7_02 * v20.z; c7_0 += x7_03 * v20.w; c7_0 += x7_10 * v21.x; c7_0 += x7_11 * v21.y; c7_0 += x7_12 * v21.z; c7_0 += x7_13 * v21.w; c7_0 += x7_20 * v22.x; c7_0 += x7_21 * v22.y; c7_0 += x7_22 * v22.z; c7_0 += x7_23 * v22.w;
    c7_1 += x7_00 * v21.x; c7_1 += x7_01 * v21.y; c7_1 += x7_02 * v21.z; c7_1 += x7_03 * v21.w; c7_1 += x7_10 * v22.x; c7_1 += x7_11 * v22.y; c7_1 += x7_12 * v22.z; c7_1 += x7_13 * v22.w; c7_1 += x7_20 * v23.x; c7_1 += x7_21 * v23.y; c7_1 += x7_22 * v23.z; c7_1 += x7_23 * v23.w;
    c7_2 += x7_00 * v22.x; c7_2 += x7_01 * v22.y; c7_2 += x7_02 * v22.z; c7_2 += x7_03 * v22.w; c7_2 += x7_10 * v23.x; c7_2 += x7_11 * v23.y; c7_2 += x7_12 * v23.z; c7_2 += x7_13 * v23.w; c7_2 += x7_20 * v24.x; c7_2 += x7_21 * v24.y; c7_2 += x7_22 * v24.z; c7_2 += x7_23 * v24.w;
    c7_3 += x7_00 * v23.x; c7_3 += x7_01 * v23.y; c7_3 += x7_02 * v23.z; c7_3 += x7_03 * v23.w; c7_3 += x7_10 * v24.x; c7_3 += x7_11 * v24.y; c7_3 += x7_12 * v24.z; c7_3 += x7_13 * v24.w; c7_3 += x7_20 * v25.x; c7_3 += x7_21 * v25.y; c7_3 += x7_22 * v25.z; c7_3 += x7_23 * v25.w;
    let x8_00 = subgroupBroadcast(v9.x, 0u); let x8_01 = subgroupBroadcast(v9.y, 0u); let x8_02 = subgroupBroadcast(v9.z, 0u); let x8_03 = subgroupBroadcast(v9.w, 0u); let x8_10 = subgroupBroadcast(v13.x, 0u); let x8_11 = subgroupBroadcast(v13.y, 0u); let x8_12 = subgroupBroadcast(v13.z, 0u); let x8_13 = subgroupBroadcast(v13.w, 0u); let x8_20 = subgroupBroadcast(v17.x, 0u); let x8_21 = subgroupBroadcast(v17.y, 0u); let x8_22 = subgroupBroadcast(v17.z, 0u); let x8_23 = subgroupBroadcast(v17.w, 0u);
    c8_0 += x8_00 * v20.x; c8_0 += x8_01 * v20.y; c8_0 += x8_02 * v20.z; c8_0 += x8_03 * v20.w; c8_0 += x8_10 * v21.x; c8_0 += x8_11 * v21.y; c8_0 += x8_12 * v21.z; c8_0 += x8_13 * v21.w; c8_0 += x8_20 * v22.x; c8_0 += x8_21 * v22.y; c8_0 += x8_22 * v22.z; c8_0 += x8_23 * v22.w;
    c8_1 += x8_00 * v21.x; c8_1 += x8_01 * v21.y; c8_1 += x8_02 * v21.z; c8_1 += x8_03 * v21.w; c8_1 += x8_10 * v22.x; c8_1 += x8_11 * v22.y; c8_1 += x8_12 * v22.z; c8_1 += x8_13 * v22.w; c8_1 += x8_20 * v23.x; c8_1 += x8_21 * v23.y; c8_1 += x8_22 * v23.z; c8_1 += x8_23 * v23.w;
    c8_2 += x8_00 * v22.x; c8_2 += x8_01 * v22.y; c8_2 += x8_02 * v22.z; c8_2 += x8_03 * v22.w; c8_2 += x8_10 * v23.x; c8_2 += x8_11 * v23.y; c8_2 += x8_12 * v23.z; c8_2 += x8_13 * v23.w; c8_2 += x8_20 * v24.x; c8_2 += x8_21 * v24.y; c8_2 += x8_22 * v24.z; c8_2 += x8_23 * v24.w;
    c8_3 += x8_00 * v23.x; c8_3 += x8_01 * v23.y; c8_3 += x8_02 * v23.z; c8_3 += x8_03 * v23.w; c8_3 += x8_10 * v24.x; c8_3 += x8_11 * v24.y; c8_3 += x8_12 * v24.z; c8_3 += x8_13 * v24.w; c8_3 += x8_20 * v25.x; c8_3 += x8_21 * v25.y; c8_3 += x8_22 * v25.z; c8_3 += x8_23 * v25.w;
    let x9_00 = subgroupBroadcast(v9.x, 1u); let x9_01 = subgroupBroadcast(v9.y, 1u); let x9_02 = subgroupBroadcast(v9.z, 1u); let x9_03 = subgroupBroadcast(v9.w, 1u); let x9_10 = subgroupBroadcast(v13.x, 1u); let x9_11 = subgroupBroadcast(v13.y, 1u); let x9_12 = subgroupBroadcast(v13.z, 1u); let x9_13 = subgroupBroadcast(v13.w, 1u); let x9_20 = subgroupBroadcast(v17.x, 1u); let x9_21 = subgroupBroadcast(v17.y, 1u); let x9_22 = subgroupBroadcast(v17.z, 1u); let x9_23 = subgroupBroadcast(v17.w, 1u);
    c9_0 += x9_00 * v20.x; c9_0 += x9_01 * v20.y; c9_0 += x9_02 * v20.z; c9_0 += x9_03 * v20.w; c9_0 += x9_10 * v21.x; c9_0 += x9_11 * v21.y; c9_0 += x9_12 * v21.z; c9_0 += x9_13 * v21.w; c9_0 += x9_20 * v22.x; c9_0 += x9_21 * v22.y; c9_0 += x9_22 * v22.z; c9_0 += x9_23 * v22.w;
    c9_1 += x9_00 * v21.x; c9_1 += x9_01 * v21.y; c9_1 += x9_02 * v21.z; c9_1 += x9_03 * v21.w; c9_1 += x9_10 * v22.x; c9_1 += x9_11 * v22.y; c9_1 += x9_12 * v22.z; c9_1 += x9_13 * v22.w; c9_1 += x9_20 * v23.x; c9_1 += x9_21 * v23.y; c9_1 += x9_22 * v23.z; c9_1 += x9_23 * v23.w;
    c9_2 += x9_00 * v22.x; c9_2 += x9_01 * v22.y; c9_2 += x9_02 * v22.z; c9_2 += x9_03 * v22.w; c9_2 += x9_10 * v23.x; c9_2 += x9_11 * v23.y; c9_2 += x9_12 * v23.z; c9_2 += x9_13 * v23.w; c9_2 += x9_20 * v24.x; c9_2 += x9_21 * v24.y; c9_2 += x9_22 * v24.z; c9_2 += x9_23 * v24.w;
    c9_3 += x9_00 * v23.x; c9_3 += x9_01 * v23.y; c9_3 += x9_02 * v23.z; c9_3 += x9_03 * v23.w; c9_3 += x9_10 * v24.x; c9_3 += x9_11 * v24.y; c9_3 += x9_12 * v24.z; c9_3 += x9_13 * v24.w; c9_3 += x9_20 * v25.x; c9_3 += x9_21 * v25.y; c9_3 += x9_22 * v25.z; c9_3 += x9_23 * v25.w;
    let x10_00 = subgroupBroadcast(v9.x, 2u); let x10_01 = subgroupBroadcast(v9.y, 2u); let x10_02 = subgroupBroadcast(v9.z, 2u); let x10_03 = subgroupBroadcast(v9.w, 2u); let x10_10 = subgroupBroadcast(v13.x, 2u); let x10_11 = subgroupBroadcast(v13.y, 2u); let x10_12 = subgroupBroadcast(v13.z, 2u); let x10_13 = subgroupBroadcast(v13.w, 2u); let x10_20 = subgroupBroadcast(v17.x, 2u); let x10_21 = subgroupBroadcast(v17.y, 2u); let x10_22 = subgroupBroadcast(v17.z, 2u); let x10_23 = subgroupBroadcast(v17.w, 2u);
    c10_0 += x10_00 * v20.x; c10_0 += x10_01 * v20.y; c10_0 += x10_02 * v20.z; c10_0 += x10_03 * v20.w; c10_0 += x10_10 * v21.x; c10_0 += x10_11 * v21.y; c10_0 += x10_12 * v21.z; c10_0 += x10_13 * v21.w; c10_0 += x10_20 * v22.x; c10_0 += x10_21 * v22.y; c10_0 += x10_22 * v22.z; c10_0 += x10_23 * v22.w;
    c10_1 += x10_00 * v21.x; c10_1 += x10_01 * v21.y; c10_1 += x10_02 * v21.z; c10_1 += x10_03 * v21.w; c10_1 += x10_10 * v22.x; c10_1 += x10_11 * v22.y; c10_1 += x10_12 * v22.z; c10_1 += x10_13 * v22.w; c10_1 += x10_20 * v23.x; c10_1 += x10_21 * v23.y; c10_1 += x10_22 * v23.z; c10_1 += x10_23 * v23.w;
    c10_2 += x10_00 * v22.x; c10_2 += x10_01 * v22.y; c10_2 += x10_02 * v22.z; c10_2 += x10_03 * v22.w; c10_2 += x10_10 * v23.x; c10_2 += x10_11 * v23.y; c10_2 += x10_12 * v23.z; c10_2 += x10_13 * v23.w; c10_2 += x10_20 * v24.x; c10_2 += x10_21 * v24.y; c10_2 += x10_22 * v24.z; c10_2 += x10_23 * v24.w;
    c10_3 += x10_00 * v23.x; c10_3 += x10_01 * v23.y; c10_3 += x10_02 * v23.z; c10_3 += x10_03 * v23.w; c10_3 += x10_10 * v24.x; c10_3 += x10_11 * v24.y; c10_3 += x10_12 * v24.z; c10_3 += x10_13 * v24.w; c10_3 += x10_20 * v25.x; c10_3 += x10_21 * v25.y; c10_3 += x10_22 * v25.z; c10_3 += x10_23 * v25.w;
    let x11_00 = subgroupBroadcast(v9.x, 3u); let x11_01 = subgroupBroadcast(v9.y, 3u); let x11_02 = subgroupBroadcast(v9.z, 3u); let x11_03 = subgroupBroadcast(v9.w, 3u); let x11_10 = subgroupBroadcast(v13.x, 3u); let x11_11 = subgroupBroadcast(v13.y, 3u); let x11_12 = subgroupBroadcast(v13.z, 3u); let x11_13 = subgroupBroadcast(v13.w, 3u); let x11_20 = subgroupBroadcast(v17.x, 3u); let x11_21 = subgroupBroadcast(v17.y, 3u); let x11_22 = subgroupBroadcast(v17.z, 3u); let x11_23 = subgroupBroadcast(v17.w, 3u);
    c11_0 += x11_00 * v20.x; c11_0 += x11_01 * v20.y; c11_0 += x11_02 * v20.z; c11_0 += x11_03 * v20.w; c11_0 += x11_10 * v21.x; c11_0 += x11_11 * v21.y; c11_0 += x11_12 * v21.z; c11_0 += x11_13 * v21.w; c11_0 += x11_20 * v22.x; c11_0 += x11_21 * v22.y; c11_0 += x11_22 * v22.z; c11_0 += x11_23 * v22.w;
    c11_1 += x11_00 * v21.x; c11_1 += x11_01 * v21.y; c11_1 += x11_02 * v21.z; c11_1 += x11_03 * v21.w; c11_1 += x11_10 * v22.x; c11_1 += x11_11 * v22.y; c11_1 += x11_12 * v22.z; c11_1 += x11_13 * v22.w; c11_1 += x11_20 * v23.x; c11_1 += x11_21 * v23.y; c11_1 += x11_22 * v23.z; c11_1 += x11_23 * v23.w;
    c11_2 += x11_00 * v22.x; c11_2 += x11_01 * v22.y; c11_2 += x11_02 * v22.z; c11_2 += x11_03 * v22.w; c11_2 += x11_10 * v23.x; c11_2 += x11_11 * v23.y; c11_2 += x11_12 * v23.z; c11_2 += x11_13 * v23.w; c11_2 += x11_20 * v24.x; c11_2 += x11_21 * v24.y; c11_2 += x11_22 * v24.z; c11_2 += x11_23 * v24.w;
    c11_3 += x11_00 * v23.x; c11_3 += x11_01 * v23.y; c11_3 += x11_02 * v23.z; c11_3 += x11_03 * v23.w; c11_3 += x11_10 * v24.x; c11_3 += x11_11 * v24.y; c11_3 += x11_12 * v24.z; c11_3 += x11_13 * v24.w; c11_3 += x11_20 * v25.x; c11_3 += x11_21 * v25.y; c11_3 += x11_22 * v25.z; c11_3 += x11_23 * v25.w;
    let x12_00 = subgroupBroadcast(v9.x, 4u); let x12_01 = subgroupBroadcast(v9.y, 4u); let x12_02 = subgroupBroadcast(v9.z, 4u); let x12_03 = subgroupBroadcast(v9.w, 4u); let x12_10 = subgroupBroadcast(v13.x, 4u); let x12_11 = subgroupBroadcast(v13.y, 4u); let x12_12 = subgroupBroadcast(v13.z, 4u); let x12_13 = subgroupBroadcast(v13.w, 4u); let x12_20 = subgroupBroadcast(v17.x, 4u); let x12_21 = subgroupBroadcast(v17.y, 4u); let x12_22 = subgroupBroadcast(v17.z, 4u); let x12_23 = subgroupBroadcast(v17.w, 4u);
    c12_0 += x12_00 * v20.x; c12_0 += x12_01 * v20.y; c12_0 += x12_02 * v20.z; c12_0 += x12_03 * v20.w; c12_0 += x12_10 * v21.x; c12_0 += x12_11 * v21.y; c12_0 += x12_12 * v21.z; c12_0 += x12_13 * v21.w; c12_0 += x12_20 * v22.x; c12_0 += x12_21 * v22.y; c12_0 += x12_22 * v22.z; c12_0 += x12_23 * v22.w;
    c12_1 += x12_00 * v21.x; c12_1 += x12_01 * v21.y; c12_1 += x12_02 * v21.z; c12_1 += x12_03 * v21.w; c12_1 += x12_10 * v22.x; c12_1 += x12_11 * v22.y; c12_1 += x12_12 * v22.z; c12_1 += x12_13 * v22.w; c12_1 += x12_20 * v23.x; c12_1 += x12_21 * v23.y; c12_1 += x12_22 * v23.z; c12_1 += x12_23 * v23.w;
    c12_2 += x12_00 * v22.x; c12_2 += x12_01 * v22.y; c12_2 += x12_02 * v22.z; c12_2 += x12_03 * v22.w; c12_2 += x12_10 * v23.x; c12_2 += x12_11 * v23.y; c12_2 += x12_12 * v23.z; c12_2 += x12_13 * v23.w; c12_2 += x12_20 * v24.x; c12_2 += x12_21 * v24.y; c12_2 += x12_22 * v24.z; c12_2 += x12_23 * v24.w;
    c12_3 += x12_00 * v23.x; c12_3 += x12_01 * v23.y; c12_3 += x12_02 * v23.z; c12_3 += x12_03 * v23.w; c12_3 += x12_10 * v24.x; c12_3 += x12_11 * v24.y; c12_3 += x12_12 * v24.z; c12_3 += x12_13 * v24.w; c12_3 += x12_20 * v25.x; c12_3 += x12_21 * v25.y; c12_3 += x12_22 * v25.z; c12_3 += x12_23 * v25.w;
    let x13_00 = subgroupBroadcast(v9.x, 5u); let x13_01 = subgroupBroadcast(v9.y, 5u); let x13_02 = subgroupBroadcast(v9.z, 5u); let x13_03 = subgroupBroadcast(v9.w, 5u); let x13_10 = subgroupBroadcast(v13.x, 5u); let x13_11 = subgroupBroadcast(v13.y, 5u); let x13_12 = subgroupBroadcast(v13.z, 5u); let x13_13 = subgroupBroadcast(v13.w, 5u); let x13_20 = subgroupBroadcast(v17.x, 5u); let x13_21 = subgroupBroadcast(v17.y, 5u); let x13_22 = subgroupBroadcast(v17.z, 5u); let x13_23 = subgroupBroadcast(v17.w, 5u);
    c13_0 += x13_00 * v20.x; c13_0 += x13_01 * v20.y; c13_0 += x13_02 * v20.z; c13_0 += x13_03 * v20.w; c13_0 += x13_10 * v21.x; c13_0 += x13_11 * v21.y; c13_0 += x13_12 * v21.z; c13_0 += x13_13 * v21.w; c13_0 += x13_20 * v22.x; c13_0 += x13_21 * v22.y; c13_0 += x13_22 * v22.z; c13_0 += x13_23 * v22.w;
    c13_1 += x13_00 * v21.x; c13_1 += x13_01 * v21.y; c13_1 += x13_02 * v21.z; c13_1 += x13_03 * v21.w; c13_1 += x13_10 * v22.x; c13_1 += x13_11 * v22.y; c13_1 += x13_12 * v22.z; c13_1 += x13_13 * v22.w; c13_1 += x13_20 * v23.x; c13_1 += x13_21 * v23.y; c13_1 += x13_22 * v23.z; c13_1 += x13_23 * v23.w;
    c13_2 += x13_00 * v22.x; c13_2 += x13_01 * v22.y; c13_2 += x13_02 * v22.z; c13_2 += x13_03 * v22.w; c13_2 += x13_10 * v23.x; c13_2 += x13_11 * v23.y; c13_2 += x13_12 * v23.z; c13_2 += x13_13 * v23.w; c13_2 += x13_20 * v24.x; c13_2 += x13_21 * v24.y; c13_2 += x13_22 * v24.z; c13_2 += x13_23 * v24.w;
    c13_3 += x13_00 * v23.x; c13_3 += x13_01 * v23.y; c13_3 += x13_02 * v23.z; c13_3 += x13_03 * v23.w; c13_3 += x13_10 * v24.x; c13_3 += x13_11 * v24.y; c13_3 += x13_12 * v24.z; c13_3 += x13_13 * v24.w; c13_3 += x13_20 * v25.x; c13_3 += x13_21 * v25.y; c13_3 += x13_22 * v25.z; c13_3 += x13_23 * v25.w;
    let x14_00 = subgroupBroadcast(v9.x, 6u); let x14_01 = subgroupBroadcast(v9.y, 6u); let x14_02 = subgroupBroadcast(v9.z, 6u); let x14_03 = subgroupBroadcast(v9.w, 6u); let x14_10 = subgroupBroadcast(v13.x, 6u); let x14_11 = subgroupBroadcast(v13.y, 6u); let x14_12 = subgroupBroadcast(v13.z, 6u); let x14_13 = subgroupBroadcast(v13.w, 6u); let x14_20 = subgroupBroadcast(v17.x, 6u); let x14_21 = subgroupBroadcast(v17.y, 6u); let x14_22 = subgroupBroadcast(v17.z, 6u); let x14_23 = subgroupBroadcast(v17.w, 6u);
    c14_0 += x14_00 * v20.x; c14_0 += x14_01 * v20.y; c14_0 += x14_02 * v20.z; c14_0 += x14_03 * v20.w; c14_0 += x14_10 * v21.x; c14_0 += x14_11 * v21.y; c14_0 += x14_12 * v21.z; c14_0 += x14_13 * v21.w; c14_0 += x14_20 * v22.x; c14_0 += x14_21 * v22.y; c14_0 += x14_22 * v22.z; c14_0 += x14_23 * v22.w;
    c14_1 += x14_00 * v21.x; c14_1 += x14_01 * v21.y; c14_1 += x14_02 * v21.z; c14_1 += x14_03 * v21.w; c14_1 += x14_10 * v22.x; c14_1 += x14_11 * v22.y; c14_1 += x14_12 * v22.z; c14_1 += x14_13 * v22.w; c14_1 += x14_20 * v23.x; c14_1 += x14_21 * v23.y; c14_1 += x14_22 * v23.z; c14_1 += x14_23 * v23.w;
    c14_2 += x14_00 * v22.x; c14_2 += x14_01 * v22.y; c14_2 += x14_02 * v22.z; c14_2 += x14_03 * v22.w; c14_2 += x14_10 * v23.x; c14_2 += x14_11 * v23.y; c14_2 += x14_12 * v23.z; c14_2 += x14_13 * v23.w; c14_2 += x14_20 * v24.x; c14_2 += x14_21 * v24.y; c14_2 += x14_22 * v24.z; c14_2 += x14_23 * v24.w;
    c14_3 += x14_00 * v23.x; c14_3 += x14_01 * v23.y; c14_3 += x14_02 * v23.z; c14_3 += x14_03 * v23.w; c14_3 += x14_10 * v24.x; c14_3 += x14_11 * v24.y; c14_3 += x14_12 * v24.z; c14_3 += x14_13 * v24.w; c14_3 += x14_20 * v25.x; c14_3 += x14_21 * v25.y; c14_3 += x14_22 * v25.z; c14_3 += x14_23 * v25.w;
    let x15_00 = subgroupBroadcast(v9.x, 7u); let x15_01 = subgroupBroadcast(v9.y, 7u); let x15_02 = subgroupBroadcast(v9.z, 7u); let x15_03 = subgroupBroadcast(v9.w, 7u); let x15_10 = subgroupBroadcast(v13.x, 7u); let x15_11 = subgroupBroadcast(v13.y, 7u); let x15_12 = subgroupBroadcast(v13.z, 7u); let x15_13 = subgroupBroadcast(v13.w, 7u); let x15_20 = subgroupBroadcast(v17.x, 7u); let x15_21 = subgroupBroadcast(v17.y, 7u); let x15_22 = subgroupBroadcast(v17.z, 7u); let x15_23 = subgroupBroadcast(v17.w, 7u);
    c15_0 += x15_00 * v20.x; c15_0 += x15_01 * v20.y; c15_0 += x15_02 * v20.z; c15_0 += x15_03 * v20.w; c15_0 += x15_10 * v21.x; c15_0 += x15_11 * v21.y; c15_0 += x15_12 * v21.z; c15_0 += x15_13 * v21.w; c15_0 += x15_20 * v22.x; c15_0 += x15_21 * v22.y; c15_0 += x15_22 * v22.z; c15_0 += x15_23 * v22.w;
    c15_1 += x15_00 * v21.x; c15_1 += x15_01 * v21.y; c15_1 += x15_02 * v21.z; c15_1 += x15_03 * v21.w; c15_1 += x15_10 * v22.x; c15_1 += x15_11 * v22.y; c15_1 += x15_12 * v22.z; c15_1 += x15_13 * v22.w; c15_1 += x15_20 * v23.x; c15_1 += x15_21 * v23.y; c15_1 += x15_22 * v23.z; c15_1 += x15_23 * v23.w;
    c15_2 += x15_00 * v22.x; c15_2 += x15_01 * v22.y; c15_2 += x15_02 * v22.z; c15_2 += x15_03 * v22.w; c15_2 += x15_10 * v23.x; c15_2 += x15_11 * v23.y; c15_2 += x15_12 * v23.z; c15_2 += x15_13 * v23.w; c15_2 += x15_20 * v24.x; c15_2 += x15_21 * v24.y; c15_2 += x15_22 * v24.z; c15_2 += x15_23 * v24.w;
    c15_3 += x15_00 * v23.x; c15_3 += x15_01 * v23.y; c15_3 += x15_02 * v23.z; c15_3 += x15_03 * v23.w; c15_3 += x15_10 * v24.x; c15_3 += x15_11 * v24.y; c15_3 += x15_12 * v24.z; c15_3 += x15_13 * v24.w; c15_3 += x15_20 * v25.x; c15_3 += x15_21 * v25.y; c15_3 += x15_22 * v25.z; c15_3 += x15_23 * v25.w;
    let x16_00 = subgroupBroadcast(v10.x, 0u); let x16_01 = subgroupBroadcast(v10.y, 0u); let x16_02 = subgroupBroadcast(v10.z, 0u); let x16_03 = subgroupBroadcast(v10.w, 0u); let x16_10 = subgroupBroadcast(v14.x, 0u); let x16_11 = subgroupBroadcast(v14.y, 0u); let x16_12 = subgroupBroadcast(v14.z, 0u); let x16_13 = subgroupBroadcast(v14.w, 0u); let x16_20 = subgroupBroadcast(v18.x, 0u); let x16_21 = subgroupBroadcast(v18.y, 0u); let x16_22 = subgroupBroadcast(v18.z, 0u); let x16_23 = subgroupBroadcast(v18.w, 0u);
    c16_0 += x16_00 * v20.x; c16_0 += x16_01 * v20.y; c16_0 += x16_02 * v20.z; c16_0 += x16_03 * v20.w; c16_0 += x16_10 * v21.x; c16_0 += x16_11 * v21.y; c16_0 += x16_12 * v21.z; c16_0 += x16_13 * v21.w; c16_0 += x16_20 * v22.x; c16_0 += x16_21 * v22.y; c16_0 += x16_22 * v22.z; c16_0 += x16_23 * v22.w;
    c16_1 += x16_00 * v21.x; c16_1 += x16_01 * v21.y; c16_1 += x16_02 * v21.z; c16_1 += x16_03 * v21.w; c16_1 += x16_10 * v22.x; c16_1 += x16_11 * v22.y; c16_1 += x16_12 * v22.z; c16_1 += x16_13 * v22.w; c16_1 += x16_20 * v23.x; c16_1 += x16_21 * v23.y; c16_1 += x16_22 * v23.z; c16_1 += x16_23 * v23.w;
    c16_2 += x16_00 * v22.x; c16_2 += x16_01 * v22.y; c16_2 += x16_02 * v22.z; c16_2 += x16_03 * v22.w; c16_2 += x16_10 * v23.x; c16_2 += x16_11 * v23.y; c16_2 += x16_12 * v23.z; c16_2 += x16_13 * v23.w; c16_2 += x16_20 * v24.x; c16_2 += x16_21 * v24.y; c16_2 += x16_22 * v24.z; c16_2 += x16_23 * v24.w;
    c16_3 += x16_00 * v23.x; c16_3 += x16_01 * v23.y; c16_3 += x16_02 * v23.z; c16_3 += x16_03 * v23.w; c16_3 += x16_10 * v24.x; c16_3 += x16_11 * v24.y; c16_3 += x16_12 * v24.z; c16_3 += x16_13 * v24.w; c16_3 += x16_20 * v25.x; c16_3 += x16_21 * v25.y; c16_3 += x16_22 * v25.z; c16_3 += x16_23 * v25.w;
    let x17_00 = subgroupBroadcast(v10.x, 1u); let x17_01 = subgroupBroadcast(v10.y, 1u); let x17_02 = subgroupBroadcast(v10.z, 1u); let x17_03 = subgroupBroadcast(v10.w, 1u); let x17_10 = subgroupBroadcast(v14.x, 1u); let x17_11 = subgroupBroadcast(v14.y, 1u); let x17_12 = subgroupBroadcast(v14.z, 1u); let x17_13 = subgroupBroadcast(v14.w, 1u); let x17_20 = subgroupBroadcast(v18.x, 1u); let x17_21 = subgroupBroadcast(v18.y, 1u); let x17_22 = subgroupBroadcast(v18.z, 1u); let x17_23 = subgroupBroadcast(v18.w, 1u);
    c17_0 += x17_00 * v20.x; c17_0 += x17_01 * v20.y; c17_0 += x17_02 * v20.z; c17_0 += x17_03 * v20.w; c17_0 += x17_10 * v21.x; c17_0 += x17_11 * v21.y; c17_0 += x17_12 * v21.z; c17_0 += x17_13 * v21.w; c17_0 += x17_20 * v22.x; c17_0 += x17_21 * v22.y; c17_0 += x17_22 * v22.z; c17_0 += x17_23 * v22.w;
    c17_1 += x17_00 * v21.x; c17_1 += x17_01 * v21.y; c17_1 += x17_02 * v21.z; c17_1 += x17_03 * v21.w; c17_1 += x17_10 * v22.x; c17_1 += x17_11 * v22.y; c17_1 += x17_12 * v22.z; c17_1 += x17_13 * v22.w; c17_1 += x17_20 * v23.x; c17_1 += x17_21 * v23.y; c17_1 += x17_22 * v23.z; c17_1 += x17_23 * v23.w;
    c17_2 += x17_00 * v22.x; c17_2 += x17_01 * v22.y; c17_2 += x17_02 * v22.z; c17_2 += x17_03 * v22.w; c17_2 += x17_10 * v23.x; c17_2 += x17_11 * v23.y; c17_2 += x17_12 * v23.z; c17_2 += x17_13 * v23.w; c17_2 += x17_20 * v24.x; c17_2 += x17_21 * v24.y; c17_2 += x17_22 * v24.z; c17_2 += x17_23 * v24.w;
    c17_3 += x17_00 * v23.x; c17_3 += x17_01 * v23.y; c17_3 += x17_02 * v23.z; c17_3 += x17_03 * v23.w; c17_3 += x17_10 * v24.x; c17_3 += x17_11 * v24.y; c17_3 += x17_12 * v24.z; c17_3 += x17_13 * v24.w; c17_3 += x17_20 * v25.x; c17_3 += x17_21 * v25.y; c17_3 += x17_22 * v25.z; c17_3 += x17_23 * v25.w;
    let x18_00 = subgroupBroadcast(v10.x, 2u); let x18_01 = subgroupBroadcast(v10.y, 2u); let x18_02 = subgroupBroadcast(v10.z, 2u); let x18_03 = subgroupBroadcast(v10.w, 2u); let x18_10 = subgroupBroadcast(v14.x, 2u); let x18_11 = subgroupBroadcast(v14.y, 2u); let x18_12 = subgroupBroadcast(v14.z, 2u); let x18_13 = subgroupBroadcast(v14.w, 2u); let x18_20 = subgroupBroadcast(v18.x, 2u); let x18_21 = subgroupBroadcast(v18.y, 2u); let x18_22 = subgroupBroadcast(v18.z, 2u); let x18_23 = subgroupBroadcast(v18.w, 2u);
    c18_0 += x18_00 * v20.x; c18_0 += x18_01 * v20.y; c18_0 += x18_02 * v20.z; c18_0 += x18_03 * v20.w; c18_0 += x18_10 * v21.x; c18_0 += x18_11 * v21.y; c18_0 += x18_12 * v21.z; c18_0 += x18_13 * v21.w; c18_0 += x18_20 * v22.x; c18_0 += x18_21 * v22.y; c18_0 += x18_22 * v22.z; c18_0 += x18_23 * v22.w;
    c18_1 += x18_00 * v21.x; c18_1 += x18_01 * v21.y; c18_1 += x18_02 * v21.z; c18_1 += x18_03 * v21.w; c18_1 += x18_10 * v22.x; c18_1 += x18_11 * v22.y; c18_1 += x18_12 * v22.z; c18_1 += x18_13 * v22.w; c18_1 += x18_20 * v23.x; c18_1 += x18_21 * v23.y; c18_1 += x18_22 * v23.z; c18_1 += x18_23 * v23.w;
    c18_2 += x18_00 * v22.x; c18_2 += x18_01 * v22.y; c18_2 += x18_02 * v22.z; c18_2 += x18_03 * v22.w; c18_2 += x18_10 * v23.x; c18_2 += x18_11 * v23.y; c18_2 += x18_12 * v23.z; c18_2 += x18_13 * v23.w; c18_2 += x18_20 * v24.x; c18_2 += x18_21 * v24.y; c18_2 += x18_22 * v24.z; c18_2 += x18_23 * v24.w;
    c18_3 += x18_00 * v23.x; c18_3 += x18_01 * v23.y; c18_3 += x18_02 * v23.z; c18_3 += x18_03 * v23.w; c18_3 += x18_10 * v24.x; c18_3 += x18_11 * v24.y; c18_3 += x18_12 * v24.z; c18_3 += x18_13 * v24.w; c18_3 += x18_20 * v25.x; c18_3 += x18_21 * v25.y; c18_3 += x18_22 * v25.z; c18_3 += x18_23 * v25.w;
    let x19_00 = subgroupBroadcast(v10.x, 3u); let x19_01 = subgroupBroadcast(v10.y, 3u); let x19_02 = subgroupBroadcast(v10.z, 3u); let x19_03 = subgroupBroadcast(v10.w, 3u); let x19_10 = subgroupBroadcast(v14.x, 3u); let x19_11 = subgroupBroadcast(v14.y, 3u); let x19_12 = subgroupBroadcast(v14.z, 3u); let x19_13 = subgroupBroadcast(v14.w, 3u); let x19_20 = subgroupBroadcast(v18.x, 3u); let x19_21 = subgroupBroadcast(v18.y, 3u); let x19_22 = subgroupBroadcast(v18.z, 3u); let x19_23 = subgroupBroadcast(v18.w, 3u);
    c19_0 += x19_00 * v20.x; c19_0 += x19_01 * v20.y; c19_0 += x19_02 * v20.z; c19_0 += x19_03 * v20.w; c19_0 += x19_10 * v21.x; c19_0 += x19_11 * v21.y; c19_0 += x19_12 * v21.z; c19_0 += x19_13 * v21.w; c19_0 += x19_20 * v22.x; c19_0 += x19_21 * v22.y; c19_0 += x19_22 * v22.z; c19_0 += x19_23 * v22.w;
    c19_1 += x19_00 * v21.x; c19_1 += x19_01 * v21.y; c19_1 += x19_02 * v21.z; c19_1 += x19_03 * v21.w; c19_1 += x19_10 * v22.x; c19_1 += x19_11 * v22.y; c19_1 += x19_12 * v22.z; c19_1 += x19_13 * v22.w; c19_1 += x19_20 * v23.x; c19_1 += x19_21 * v23.y; c19_1 += x19_22 * v23.z; c19_1 += x19_23 * v23.w;
    c19_2 += x19_00 * v22.x; c19_2 += x19_01 * v22.y; c19_2 += x19_02 * v22.z; c19_2 += x19_03 * v22.w; c19_2 += x19_10 * v23.x; c19_2 += x19_11 * v23.y; c19_2 += x19_12 * v23.z; c19_2 += x19_13 * v23.w; c19_2 += x19_20 * v24.x; c19_2 += x19_21 * v24.y; c19_2 += x19_22 * v24.z; c19_2 += x19_23 * v24.w;
    c19_3 += x19_00 * v23.x; c19_3 += x19_01 * v23.y; c19_3 += x19_02 * v23.z; c19_3 += x19_03 * v23.w; c19_3 += x19_10 * v24.x; c19_3 += x19_11 * v24.y; c19_3 += x19_12 * v24.z; c19_3 += x19_13 * v24.w; c19_3 += x19_20 * v25.x; c19_3 += x19_21 * v25.y; c19_3 += x19_22 * v25.z; c19_3 += x19_23 * v25.w;
    let x20_00 = subgroupBroadcast(v10.x, 4u); let x20_01 = subgroupBroadcast(v10.y, 4u); let x20_02 = subgroupBroadcast(v10.z, 4u); let x20_03 = subgroupBroadcast(v10.w, 4u); let x20_10 = subgroupBroadcast(v14.x, 4u); let x20_11 = subgroupBroadcast(v14.y, 4u); let x20_12 = subgroupBroadcast(v14.z, 4u); let x20_13 = subgroupBroadcast(v14.w, 4u); let x20_20 = subgroupBroadcast(v18.x, 4u); let x20_21 = subgroupBroadcast(v18.y, 4u); let x20_22 = subgroupBroadcast(v18.z, 4u); let x20_23 = subgroupBroadcast(v18.w, 4u);
    c20_0 += x20_00 * v20.x; c20_0 += x20_01 * v20.y; c20_0 += x20_02 * v20.z; c20_0 += x20_03 * v20.w; c20_0 += x20_10 * v21.x; c20_0 += x20_11 * v21.y; c20_0 += x20_12 * v21.z; c20_0 += x20_13 * v21.w; c20_0 += x20_20 * v22.x; c20_0 += x20_21 * v22.y; c20_0 += x20_22 * v22.z; c20_0 += x20_23 * v22.w;
    c20_1 += x20_00 * v21.x; c20_1 += x20_01 * v21.y; c20_1 += x20_02 * v21.z; c20_1 += x20_03 * v21.w; c20_1 += x20_10 * v22.x; c20_1 += x20_11 * v22.y; c20_1 += x20_12 * v22.z; c20_1 += x20_13 * v22.w; c20_1 += x20_20 * v23.x; c20_1 += x20_21 * v23.y; c20_1 += x20_22 * v23.z; c20_1 += x20_23 * v23.w;
    c20_2 += x20_00 * v22.x; c20_2 += x20_01 * v22.y; c20_2 += x20_02 * v22.z; c20_2 += x20_03 * v22.w; c20_2 += x20_10 * v23.x; c20_2 += x20_11 * v23.y; c20_2 += x20_12 * v23.z; c20_2 += x20_13 * v23.w; c20_2 += x20_20 * v24.x; c20_2 += x20_21 * v24.y; c20_2 += x20_22 * v24.z; c20_2 += x20_23 * v24.w;
    c20_3 += x20_00 * v23.x; c20_3 += x20_01 * v23.y; c20_3 += x20_02 * v23.z; c20_3 += x20_03 * v23.w; c20_3 += x20_10 * v24.x; c20_3 += x20_11 * v24.y; c20_3 += x20_12 * v24.z; c20_3 += x20_13 * v24.w; c20_3 += x20_20 * v25.x; c20_3 += x20_21 * v25.y; c20_3 += x20_22 * v25.z; c20_3 += x20_23 * v25.w;
    let x21_00 = subgroupBroadcast(v10.x, 5u); let x21_01 = subgroupBroadcast(v10.y, 5u); let x21_02 = subgroupBroadcast(v10.z, 5u); let x21_03 = subgroupBroadcast(v10.w, 5u); let x21_10 = subgroupBroadcast(v14.x, 5u); let x21_11 = subgroupBroadcast(v14.y, 5u); let x21_12 = subgroupBroadcast(v14.z, 5u); let x21_13 = subgroupBroadcast(v14.w, 5u); let x21_20 = subgroupBroadcast(v18.x, 5u); let x21_21 = subgroupBroadcast(v18.y, 5u); let x21_22 = subgroupBroadcast(v18.z, 5u); let x21_23 = subgroupBroadcast(v18.w, 5u);
    c21_0 += x21_00 * v20.x; c21_0 += x21_01 * v20.y; c21_0 += x21_02 * v20.z; c21_0 += x21_03 * v20.w; c21_0 += x21_10 * v21.x; c21_0 += x21_11 * v21.y; c21_0 += x21_12 * v21.z; c21_0 += x21_13 * v21.w; c21_0 += x21_20 * v22.x; c21_0 += x21_21 * v22.y; c21_0 += x21_22 * v22.z; c21_0 += x21_23 * v22.w;
    c21_1 += x21_00 * v21.x; c21_1 += x21_01 * v21.y; c21_1 += x21_02 * v21.z; c21_1 += x21_03 * v21.w; c21_1 += x21_10 * v22.x; c21_1 += x21_11 * v22.y; c21_1 += x21_12 * v22.z; c21_1 += x21_13 * v22.w; c21_1 += x21_20 * v23.x; c21_1 += x21_21 * v23.y; c21_1 += x21_22 * v23.z; c21_1 += x21_23 * v23.w;
    c21_2 += x21_00 * v22.x; c21_2 += x21_01 * v22.y; c21_2 += x21_02 * v22.z; c21_2 += x21_03 * v22.w; c21_2 += x21_10 * v23.x; c21_2 += x21_11 * v23.y; c21_2 += x21_12 * v23.z; c21_2 += x21_13 * v23.w; c21_2 += x21_20 * v24.x; c21_2 += x21_21 * v24.y; c21_2 += x21_22 * v24.z; c21_2 += x21_23 * v24.w;
    c21_3 += x21_00 * v23.x; c21_3 += x21_01 * v23.y; c21_3 += x21_02 * v23.z; c21_3 += x21_03 * v23.w; c21_3 += x21_10 * v24.x; c21_3 += x21_11 * v24.y; c21_3 += x21_12 * v24.z; c21_3 += x21_13 * v24.w; c21_3 += x21_20 * v25.x; c21_3 += x21_21 * v25.y; c21_3 += x21_22 * v25.z; c21_3 += x21_23 * v25.w;
    let x22_00 = subgroupBroadcast(v10.x, 6u); let x22_01 = subgroupBroadcast(v10.y, 6u); let x22_02 = subgroupBroadcast(v10.z, 6u); let x22_03 = subgroupBroadcast(v10.w, 6u); let x22_10 = subgroupBroadcast(v14.x, 6u); let x22_11 = subgroupBroadcast(v14.y, 6u); let x22_12 = subgroupBroadcast(v14.z, 6u); let x22_13 = subgroupBroadcast(v14.w, 6u); let x22_20 = subgroupBroadcast(v18.x, 6u); let x22_21 = subgroupBroadcast(v18.y, 6u); let x22_22 = subgroupBroadcast(v18.z, 6u); let x22_23 = subgroupBroadcast(v18.w, 6u);
    c22_0 += x22_00 * v20.x; c22_0 += x22_01 * v20.y; c22_0 += x22_02 * v20.z; c22_0 += x22_03 * v20.w; c22_0 += x22_10 * v21.x; c22_0 += x22_11 * v21.y; c22_0 += x22_12 * v21.z; c22_0 += x22_13 * v21.w; c22_0 += x22_20 * v22.x; c22_0 += x22_21 * v22.y; c22_0 += x22_22 * v22.z; c22_0 += x22_23 * v22.w;
    c22_1 += x22_00 * v21.x; c22_1 += x22_01 * v21.y; c22_1 += x22_02 * v21.z; c22_1 += x22_03 * v21.w; c22_1 += x22_10 * v22.x; c22_1 += x22_11 * v22.y; c22_1 += x22_12 * v22.z; c22_1 += x22_13 * v22.w; c22_1 += x22_20 * v23.x; c22_1 += x22_21 * v23.y; c22_1 += x22_22 * v23.z; c22_1 += x22_23 * v23.w;
    c22_2 += x22_00 * v22.x; c22_2 += x22_01 * v22.y; c22_2 += x22_02 * v22.z; c22_2 += x22_03 * v22.w; c22_2 += x22_10 * v23.x; c22_2 += x22_11 * v23.y; c22_2 += x22_12 * v23.z; c22_2 += x22_13 * v23.w; c22_2 += x22_20 * v24.x; c22_2 += x22_21 * v24.y; c22_2 += x22_22 * v24.z; c22_2 += x22_23 * v24.w;
    c22_3 += x22_00 * v23.x; c22_3 += x22_01 * v23.y; c22_3 += x22_02 * v23.z; c22_3 += x22_03 * v23.w; c22_3 += x22_10 * v24.x; c22_3 += x22_11 * v24.y; c22_3 += x22_12 * v24.z; c22_3 += x22_13 * v24.w; c22_3 += x22_20 * v25.x; c22_3 += x22_21 * v25.y; c22_3 += x22_22 * v25.z; c22_3 += x22_23 * v25.w;
    let x23_00 = subgroupBroadcast(v10.x, 7u); let x23_01 = subgroupBroadcast(v10.y, 7u); let x23_02 = subgroupBroadcast(v10.z, 7u); let x23_03 = subgroupBroadcast(v10.w, 7u); let x23_10 = subgroupBroadcast(v14.x, 7u); let x23_11 = subgroupBroadcast(v14.y, 7u); let x23_12 = subgroupBroadcast(v14.z, 7u); let x23_13 = subgroupBroadcast(v14.w, 7u); let x23_20 = subgroupBroadcast(v18.x, 7u); let x23_21 = subgroupBroadcast(v18.y, 7u); let x23_22 = subgroupBroadcast(v18.z, 7u); let x23_23 = subgroupBroadcast(v18.w, 7u);
    c23_0 += x23_00 * v20.x; c23_0 += x23_01 * v20.y; c23_0 += x23_02 * v20.z; c23_0 += x23_03 * v20.w; c23_0 += x23_10 * v21.x; c23_0 += x23_11 * v21.y; c23_0 += x23_12 * v21.z; c23_0 += x23_13 * v21.w; c23_0 += x23_20 * v22.x; c23_0 += x23_21 * v22.y; c23_0 += x23_22 * v22.z; c23_0 += x23_23 * v22.w;
    c23_1 += x23_00 * v21.x; c23_1 += x23_01 * v21.y; c23_1 += x23_02 * v21.z; c23_1 += x23_03 * v21.w; c23_1 += x23_10 * v22.x; c23_1 += x23_11 * v22.y; c23_1 += x23_12 * v22.z; c23_1 += x23_13 * v22.w; c23_1 += x23_20 * v23.x; c23_1 += x23_21 * v23.y; c23_1 += x23_22 * v23.z; c23_1 += x23_23 * v23.w;
    c23_2 += x23_00 * v22.x; c23_2 += x23_01 * v22.y; c23_2 += x23_02 * v22.z; c23_2 += x23_03 * v22.w; c23_2 += x23_10 * v23.x; c23_2 += x23_11 * v23.y; c23_2 += x23_12 * v23.z; c23_2 += x23_13 * v23.w; c23_2 += x23_20 * v24.x; c23_2 += x23_21 * v24.y; c23_2 += x23_22 * v24.z; c23_2 += x23_23 * v24.w;
    c23_3 += x23_00 * v23.x; c23_3 += x23_01 * v23.y; c23_3 += x23_02 * v23.z; c23_3 += x23_03 * v23.w; c23_3 += x23_10 * v24.x; c23_3 += x23_11 * v24.y; c23_3 += x23_12 * v24.z; c23_3 += x23_13 * v24.w; c23_3 += x23_20 * v25.x; c23_3 += x23_21 * v25.y; c23_3 += x23_22 * v25.z; c23_3 += x23_23 * v25.w;
    let x24_00 = subgroupBroadcast(v11.x, 0u); let x24_01 = subgroupBroadcast(v11.y, 0u); let x24_02 = subgroupBroadcast(v11.z, 0u); let x24_03 = subgroupBroadcast(v11.w, 0u); let x24_10 = subgroupBroadcast(v15.x, 0u); let x24_11 = subgroupBroadcast(v15.y, 0u); let x24_12 = subgroupBroadcast(v15.z, 0u); let x24_13 = subgroupBroadcast(v15.w, 0u); let x24_20 = subgroupBroadcast(v19.x, 0u); let x24_21 = subgroupBroadcast(v19.y, 0u); let x24_22 = subgroupBroadcast(v19.z, 0u); let x24_23 = subgroupBroadcast(v19.w, 0u);
    c24_0 += x24_00 * v20.x; c24_0 += x24_01 * v20.y; c24_0 += x24_02 * v20.z; c24_0 += x24_03 * v20.w; c24_0 += x24_10 * v21.x; c24_0 += x24_11 * v21.y; c24_0 += x24_12 * v21.z; c24_0 += x24_13 * v21.w; c24_0 += x24_20 * v22.x; c24_0 += x24_21 * v22.y; c24_0 += x24_22 * v22.z; c24_0 += x24_23 * v22.w;
    c24_1 += x24_00 * v21.x; c24_1 += x24_01 * v21.y; c24_1 += x24_02 * v21.z; c24_1 += x24_03 * v21.w; c24_1 += x24_10 * v22.x; c24_1 += x24_11 * v22.y; c24_1 += x24_12 * v22.z; c24_1 += x24_13 * v22.w; c24_1 += x24_20 * v23.x; c24_1 += x24_21 * v23.y; c24_1 += x24_22 * v23.z; c24_1 += x24_23 * v23.w;
    c24_2 += x24_00 * v22.x; c24_2 += x24_01 * v22.y; c24_2 += x24_02 * v22.z; c24_2 += x24_03 * v22.w; c24_2 += x24_10 * v23.x; c24_2 += x24_11 * v23.y; c24_2 += x24_12 * v23.z; c24_2 += x24_13 * v23.w; c24_2 += x24_20 * v24.x; c24_2 += x24_21 * v24.y; c24_2 += x24_22 * v24.z; c24_2 += x24_23 * v24.w;
    c24_3 += x24_00 * v23.x; c24_3 += x24_01 * v23.y; c24_3 += x24_02 * v23.z; c24_3 += x24_03 * v23.w; c24_3 += x24_10 * v24.x; c24_3 += x24_11 * v24.y; c24_3 += x24_12 * v24.z; c24_3 += x24_13 * v24.w; c24_3 += x24_20 * v25.x; c24_3 += x24_21 * v25.y; c24_3 += x24_22 * v25.z; c24_3 += x24_23 * v25.w;
    let x25_00 = subgroupBroadcast(v11.x, 1u); let x25_01 = subgroupBroadcast(v11.y, 1u); let x25_02 = subgroupBroadcast(v11.z, 1u); let x25_03 = subgroupBroadcast(v11.w, 1u); let x25_10 = subgroupBroadcast(v15.x, 1u); let x25_11 = subgroupBroadcast(v15.y, 1u); let x25_12 = subgroupBroadcast(v15.z, 1u); let x25_13 = subgroupBroadcast(v15.w, 1u); let x25_20 = subgroupBroadcast(v19.x, 1u); let x25_21 = subgroupBroadcast(v19.y, 1u); let x25_22 = subgroupBroadcast(v19.z, 1u); let x25_23 = subgroupBroadcast(v19.w, 1u);
    c25_0 += x25_00 * v20.x; c25_0 += x25_01 * v20.y; c25_0 += x25_02 * v20.z; c25_0 += x25_03 * v20.w; c25_0 += x25_10 * v21.x; c25_0 += x25_11 * v21.y; c25_0 += x25_12 * v21.z; c25_0 += x25_13 * v21.w; c25_0 += x25_20 * v22.x; c25_0 += x25_21 * v22.y; c25_0 += x25_22 * v22.z; c25_0 += x25_23 * v22.w;
    c25_1 += x25_00 * v21.x; c25_1 += x25_01 * v21.y; c25_1 += x25_02 * v21.z; c25_1 += x25_03 * v21.w; c25_1 += x25_10 * v22.x; c25_1 += x25_11 * v22.y; c25_1 += x25_12 * v22.z; c25_1 += x25_13 * v22.w; c25_1 += x25_20 * v23.x; c25_1 += x25_21 * v23.y; c25_1 += x25_22 * v23.z; c25_1 += x25_23 * v23.w;
    c25_2 += x25_00 * v22.x; c25_2 += x25_01 * v22.y; c25_2 += x25_02 * v22.z; c25_2 += x25_03 * v22.w; c25_2 += x25_10 * v23.x; c25_2 += x25_11 * v23.y; c25_2 += x25_12 * v23.z; c25_2 += x25_13 * v23.w; c25_2 += x25_20 * v24.x; c25_2 += x25_21 * v24.y; c25_2 += x25_22 * v24.z; c25_2 += x25_23 * v24.w;
    c25_3 += x25_00 * v23.x; c25_3 += x25_01 * v23.y; c25_3 += x25_02 * v23.z; c25_3 += x25_03 * v23.w; c25_3 += x25_10 * v24.x; c25_3 += x25_11 * v24.y; c25_3 += x25_12 * v24.z; c25_3 += x25_13 * v24.w; c25_3 += x25_20 * v25.x; c25_3 += x25_21 * v25.y; c25_3 += x25_22 * v25.z; c25_3 += x25_23 * v25.w;
    let x26_00 = subgroupBroadcast(v11.x, 2u); let x26_01 = subgroupBroadcast(v11.y, 2u); let x26_02 = subgroupBroadcast(v11.z, 2u); let x26_03 = subgroupBroadcast(v11.w, 2u); let x26_10 = subgroupBroadcast(v15.x, 2u); let x26_11 = subgroupBroadcast(v15.y, 2u); let x26_12 = subgroupBroadcast(v15.z, 2u); let x26_13 = subgroupBroadcast(v15.w, 2u); let x26_20 = subgroupBroadcast(v19.x, 2u); let x26_21 = subgroupBroadcast(v19.y, 2u); let x26_22 = subgroupBroadcast(v19.z, 2u); let x26_23 = subgroupBroadcast(v19.w, 2u);
    c26_0 += x26_00 * v20.x; c26_0 += x26_01 * v20.y; c26_0 += x26_02 * v20.z; c26_0 += x26_03 * v20.w; c26_0 += x26_10 * v21.x; c26_0 += x26_11 * v21.y; c26_0 += x26_12 * v21.z; c26_0 += x26_13 * v21.w; c26_0 += x26_20 * v22.x; c26_0 += x26_21 * v22.y; c26_0 += x26_22 * v22.z; c26_0 += x26_23 * v22.w;
    c26_1 += x26_00 * v21.x; c26_1 += x26_01 * v21.y; c26_1 += x26_02 * v21.z; c26_1 += x26_03 * v21.w; c26_1 += x26_10 * v22.x; c26_1 += x26_11 * v22.y; c26_1 += x26_12 * v22.z; c26_1 += x26_13 * v22.w; c26_1 += x26_20 * v23.x; c26_1 += x26_21 * v23.y; c26_1 += x26_22 * v23.z; c26_1 += x26_23 * v23.w;
    c26_2 += x26_00 * v22.x; c26_2 += x26_01 * v22.y; c26_2 += x26_02 * v22.z; c26_2 += x26_03 * v22.w; c26_2 += x26_10 * v23.x; c26_2 += x26_11 * v23.y; c26_2 += x26_12 * v23.z; c26_2 += x26_13 * v23.w; c26_2 += x26_20 * v24.x; c26_2 += x26_21 * v24.y; c26_2 += x26_22 * v24.z; c26_2 += x26_23 * v24.w;
    c26_3 += x26_00 * v23.x; c26_3 += x26_01 * v23.y; c26_3 += x26_02 * v23.z; c26_3 += x26_03 * v23.w; c26_3 += x26_10 * v24.x; c26_3 += x26_11 * v24.y; c26_3 += x26_12 * v24.z; c26_3 += x26_13 * v24.w; c26_3 += x26_20 * v25.x; c26_3 += x26_21 * v25.y; c26_3 += x26_22 * v25.z; c26_3 += x26_23 * v25.w;
    let x27_00 = subgroupBroadcast(v11.x, 3u); let x27_01 = subgroupBroadcast(v11.y, 3u); let x27_02 = subgroupBroadcast(v11.z, 3u); let x27_03 = subgroupBroadcast(v11.w, 3u); let x27_10 = subgroupBroadcast(v15.x, 3u); let x27_11 = subgroupBroadcast(v15.y, 3u); let x27_12 = subgroupBroadcast(v15.z, 3u); let x27_13 = subgroupBroadcast(v15.w, 3u); let x27_20 = subgroupBroadcast(v19.x, 3u); let x27_21 = subgroupBroadcast(v19.y, 3u); let x27_22 = subgroupBroadcast(v19.z, 3u); let x27_23 = subgroupBroadcast(v19.w, 3u);
    c27_0 += x27_00 * v20.x; c27_0 += x27_01 * v20.y; c27_0 += x27_02 * v20.z; c27_0 += x27_03 * v20.w; c27_0 += x27_10 * v21.x; c27_0 += x27_11 * v21.y; c27_0 += x27_12 * v21.z; c27_0 += x27_13 * v21.w; c27_0 += x27_20 * v22.x; c27_0 += x27_21 * v22.y; c27_0 += x27_22 * v22.z; c27_0 += x27_23 * v22.w;
    c27_1 += x27_00 * v21.x; c27_1 += x27_01 * v21.y; c27_1 += x27_02 * v21.z; c27_1 += x27_03 * v21.w; c27_1 += x27_10 * v22.x; c27_1 += x27_11 * v22.y; c27_1 += x27_12 * v22.z; c27_1 += x27_13 * v22.w; c27_1 += x27_20 * v23.x; c27_1 += x27_21 * v23.y; c27_1 += x27_22 * v23.z; c27_1 += x27_23 * v23.w;
    c27_2 += x27_00 * v22.x; c27_2 += x27_01 * v22.y; c27_2 += x27_02 * v22.z; c27_2 += x27_03 * v22.w; c27_2 += x27_10 * v23.x; c27_2 += x27_11 * v23.y; c27_2 += x27_12 * v23.z; c27_2 += x27_13 * v23.w; c27_2 += x27_20 * v24.x; c27_2 += x27_21 * v24.y; c27_2 += x27_22 * v24.z; c27_2 += x27_23 * v24.w;
    c27_3 += x27_00 * v23.x; c27_3 += x27_01 * v23.y; c27_3 += x27_02 * v23.z; c27_3 += x27_03 * v23.w; c27_3 += x27_10 * v24.x; c27_3 += x27_11 * v24.y; c27_3 += x27_12 * v24.z; c27_3 += x27_13 * v24.w; c27_3 += x27_20 * v25.x; c27_3 += x27_21 * v25.y; c27_3 += x27_22 * v25.z; c27_3 += x27_23 * v25.w;
    let x28_00 = subgroupBroadcast(v11.x, 4u); let x28_01 = subgroupBroadcast(v11.y, 4u); let x28_02 = subgroupBroadcast(v11.z, 4u); let x28_03 = subgroupBroadcast(v11.w, 4u); let x28_10 = subgroupBroadcast(v15.x, 4u); let x28_11 = subgroupBroadcast(v15.y, 4u); let x28_12 = subgroupBroadcast(v15.z, 4u); let x28_13 = subgroupBroadcast(v15.w, 4u); let x28_20 = subgroupBroadcast(v19.x, 4u); let x28_21 = subgroupBroadcast(v19.y, 4u); let x28_22 = subgroupBroadcast(v19.z, 4u); let x28_23 = subgroupBroadcast(v19.w, 4u);
    c28_0 += x28_00 * v20.x; c28_0 += x28_01 * v20.y; c28_0 += x28_02 * v20.z; c28_0 += x28_03 * v20.w; c28_0 += x28_10 * v21.x; c28_0 += x28_11 * v21.y; c28_0 += x28_12 * v21.z; c28_0 += x28_13 * v21.w; c28_0 += x28_20 * v22.x; c28_0 += x28_21 * v22.y; c28_0 += x28_22 * v22.z; c28_0 += x28_23 * v22.w;
    c28_1 += x28_00 * v21.x; c28_1 += x28_01 * v21.y; c28_1 += x28_02 * v21.z; c28_1 += x28_03 * v21.w; c28_1 += x28_10 * v22.x; c28_1 += x28_11 * v22.y; c28_1 += x28_12 * v22.z; c28_1 += x28_13 * v22.w; c28_1 += x28_20 * v23.x; c28_1 += x28_21 * v23.y; c28_1 += x28_22 * v23.z; c28_1 += x28_23 * v23.w;
    c28_2 += x28_00 * v22.x; c28_2 += x28_01 * v22.y; c28_2 += x28_02 * v22.z; c28_2 += x28_03 * v22.w; c28_2 += x28_10 * v23.x; c28_2 += x28_11 * v23.y; c28_2 += x28_12 * v23.z; c28_2 += x28_13 * v23.w; c28_2 += x28_20 * v24.x; c28_2 += x28_21 * v24.y; c28_2 += x28_22 * v24.z; c28_2 += x28_23 * v24.w;
    c28_3 += x28_00 * v23.x; c28_3 += x28_01 * v23.y; c28_3 += x28_02 * v23.z; c28_3 += x28_03 * v23.w; c28_3 += x28_10 * v24.x; c28_3 += x28_11 * v24.y; c28_3 += x28_12 * v24.z; c28_3 += x28_13 * v24.w; c28_3 += x28_20 * v25.x; c28_3 += x28_21 * v25.y; c28_3 += x28_22 * v25.z; c28_3 += x28_23 * v25.w;
    let x29_00 = subgroupBroadcast(v11.x, 5u); let x29_01 = subgroupBroadcast(v11.y, 5u); let x29_02 = subgroupBroadcast(v11.z, 5u); let x29_03 = subgroupBroadcast(v11.w, 5u); let x29_10 = subgroupBroadcast(v15.x, 5u); let x29_11 = subgroupBroadcast(v15.y, 5u); let x29_12 = subgroupBroadcast(v15.z, 5u); let x29_13 = subgroupBroadcast(v15.w, 5u); let x29_20 = subgroupBroadcast(v19.x, 5u); let x29_21 = subgroupBroadcast(v19.y, 5u); let x29_22 = subgroupBroadcast(v19.z, 5u); let x29_23 = subgroupBroadcast(v19.w, 5u);
    c29_0 += x29_00 * v20.x; c29_0 += x29_01 * v20.y; c29_0 += x29_02 * v20.z; c29_0 += x29_03 * v20.w; c29_0 += x29_10 * v21.x; c29_0 += x29_11 * v21.y; c29_0 += x29_12 * v21.z; c29_0 += x29_13 * v21.w; c29_0 += x29_20 * v22.x; c29_0 += x29_21 * v22.y; c29_0 += x29_22 * v22.z; c29_0 += x29_23 * v22.w;
    c29_1 += x29_00 * v21.x; c29_1 += x29_01 * v21.y; c29_1 += x29_02 * v21.z; c29_1 += x29_03 * v21.w; c29_1 += x29_10 * v22.x; c29_1 += x29_11 * v22.y; c29_1 += x29_12 * v22.z; c29_1 += x29_13 * v22.w; c29_1 += x29_20 * v23.x; c29_1 += x29_21 * v23.y; c29_1 += x29_22 * v23.z; c29_1 += x29_23 * v23.w;
    c29_2 += x29_00 * v22.x; c29_2 += x29_01 * v22.y; c29_2 += x29_02 * v22.z; c29_2 += x29_03 * v22.w; c29_2 += x29_10 * v23.x; c29_2 += x29_11 * v23.y; c29_2 += x29_12 * v23.z; c29_2 += x29_13 * v23.w; c29_2 += x29_20 * v24.x; c29_2 += x29_21 * v24.y; c29_2 += x29_22 * v24.z; c29_2 += x29_23 * v24.w;
    c29_3 += x29_00 * v23.x; c29_3 += x29_01 * v23.y; c29_3 += x29_02 * v23.z; c29_3 += x29_03 * v23.w; c29_3 += x29_10 * v24.x; c29_3 += x29_11 * v24.y; c29_3 += x29_12 * v24.z; c29_3 += x29_13 * v24.w; c29_3 += x29_20 * v25.x; c29_3 += x29_21 * v25.y; c29_3 += x29_22 * v25.z; c29_3 += x29_23 * v25.w;
    let x30_00 = subgroupBroadcast(v11.x, 6u); let x30_01 = subgroupBroadcast(v11.y, 6u); let x30_02 = subgroupBroadcast(v11.z, 6u); let x30_03 = subgroupBroadcast(v11.w, 6u); let x30_10 = subgroupBroadcast(v15.x, 6u); let x30_11 = subgroupBroadcast(v15.y, 6u); let x30_12 = subgroupBroadcast(v15.z, 6u); let x30_13 = subgroupBroadcast(v15.w, 6u); let x30_20 = subgroupBroadcast(v19.x, 6u); let x30_21 = subgroupBroadcast(v19.y, 6u); let x30_22 = subgroupBroadcast(v19.z, 6u); let x30_23 = subgroupBroadcast(v19.w, 6u);
    c30_0 += x30_00 * v20.x; c30_0 += x30_01 * v20.y; c30_0 += x30_02 * v20.z; c30_0 += x30_03 * v20.w; c30_0 += x30_10 * v21.x; c30_0 += x30_11 * v21.y; c30_0 += x30_12 * v21.z; c30_0 += x30_13 * v21.w; c30_0 += x30_20 * v22.x; c30_0 += x30_21 * v22.y; c30_0 += x30_22 * v22.z; c30_0 += x30_23 * v22.w;
    c30_1 += x30_00 * v21.x; c30_1 += x30_01 * v21.y; c30_1 += x30_02 * v21.z; c30_1 += x30_03 * v21.w; c30_1 += x30_10 * v22.x; c30_1 += x30_11 * v22.y; c30_1 += x30_12 * v22.z; c30_1 += x30_13 * v22.w; c30_1 += x30_20 * v23.x; c30_1 += x30_21 * v23.y; c30_1 += x30_22 * v23.z; c30_1 += x30_23 * v23.w;
    c30_2 += x30_00 * v22.x; c30_2 += x30_01 * v22.y; c30_2 += x30_02 * v22.z; c30_2 += x30_03 * v22.w; c30_2 += x30_10 * v23.x; c30_2 += x30_11 * v23.y; c30_2 += x30_12 * v23.z; c30_2 += x30_13 * v23.w; c30_2 += x30_20 * v24.x; c30_2 += x30_21 * v24.y; c30_2 += x30_22 * v24.z; c30_2 += x30_23 * v24.w;
    c30_3 += x30_00 * v23.x; c30_3 += x30_01 * v23.y; c30_3 += x30_02 * v23.z; c30_3 += x30_03 * v23.w; c30_3 += x30_10 * v24.x; c30_3 += x30_11 * v24.y; c30_3 += x30_12 * v24.z; c30_3 += x30_13 * v24.w; c30_3 += x30_20 * v25.x; c30_3 += x30_21 * v25.y; c30_3 += x30_22 * v25.z; c30_3 += x30_23 * v25.w;
    let x31_00 = subgroupBroadcast(v11.x, 7u); let x31_01 = subgroupBroadcast(v11.y, 7u); let x31_02 = subgroupBroadcast(v11.z, 7u); let x31_03 = subgroupBroadcast(v11.w, 7u); let x31_10 = subgroupBroadcast(v15.x, 7u); let x31_11 = subgroupBroadcast(v15.y, 7u); let x31_12 = subgroupBroadcast(v15.z, 7u); let x31_13 = subgroupBroadcast(v15.w, 7u); let x31_20 = subgroupBroadcast(v19.x, 7u); let x31_21 = subgroupBroadcast(v19.y, 7u); let x31_22 = subgroupBroadcast(v19.z, 7u); let x31_23 = subgroupBroadcast(v19.w, 7u);
    c31_0 += x31_00 * v20.x; c31_0 += x31_01 * v20.y; c31_0 += x31_02 * v20.z; c31_0 += x31_03 * v20.w; c31_0 += x31_10 * v21.x; c31_0 += x31_11 * v21.y; c31_0 += x31_12 * v21.z; c31_0 += x31_13 * v21.w; c31_0 += x31_20 * v22.x; c31_0 += x31_21 * v22.y; c31_0 += x31_22 * v22.z; c31_0 += x31_23 * v22.w;
    c31_1 += x31_00 * v21.x; c31_1 += x31_01 * v21.y; c31_1 += x31_02 * v21.z; c31_1 += x31_03 * v21.w; c31_1 += x31_10 * v22.x; c31_1 += x31_11 * v22.y; c31_1 += x31_12 * v22.z; c31_1 += x31_13 * v22.w; c31_1 += x31_20 * v23.x; c31_1 += x31_21 * v23.y; c31_1 += x31_22 * v23.z; c31_1 += x31_23 * v23.w;
    c31_2 += x31_00 * v22.x; c31_2 += x31_01 * v22.y; c31_2 += x31_02 * v22.z; c31_2 += x31_03 * v22.w; c31_2 += x31_10 * v23.x; c31_2 += x31_11 * v23.y; c31_2 += x31_12 * v23.z; c31_2 += x31_13 * v23.w; c31_2 += x31_20 * v24.x; c31_2 += x31_21 * v24.y; c31_2 += x31_22 * v24.z; c31_2 += x31_23 * v24.w;
    c31_3 += x31_00 * v23.x; c31_3 += x31_01 * v23.y; c31_3 += x31_02 * v23.z; c31_3 += x31_03 * v23.w; c31_3 += x31_10 * v24.x; c31_3 += x31_11 * v24.y; c31_3 += x31_12 * v24.z; c31_3 += x31_13 * v24.w; c31_3 += x31_20 * v25.x; c31_3 += x31_21 * v25.y; c31_3 += x31_22 * v25.z; c31_3 += x31_23 * v25.w;
  }

  for (var r = 0u; r < 32u; r += 4u) {
    let at27 = (((((column / 1024u) * 32u) + (row + r)) * 1024u) + (column % 1024u));
    let v28 = x0[(row + r)];
    let v29 = vec4<f32>(c0_0, c0_1, c0_2, c0_3);
    let v30 = (v29 + vec4<f32>(v28));
    let v31 = gc_hold(0.0f);
    let v32 = (v30 <= vec4<f32>(v31));
    let v33 = gc_hold_v4(v30);
    let v34 = select(v33, vec4<f32>(v31), v32);
    y0[(((((column / 1024u) * 32u) + (row + r)) * 1024u) + (column % 1024u)) / 4u] = v34;
    let at35 = (((((column / 1024u) * 32u) + (row + r + 1u)) * 1024u) + (column % 1024u));
    let v36 = x0[(row + r + 1u)];
    let v37 = vec4<f32>(c1_0, c1_1, c1_2, c1_3);
    let v38 = (v37 + vec4<f32>(v36));
    let v39 = (v38 <= vec4<f32>(v31));
    let v40 = gc_hold_v4(v38);
    let v41 = select(v40, vec4<f32>(v31), v39);
    y0[(((((column / 1024u) * 32u) + (row + r + 1u)) * 1024u) + (column % 1024u)) / 4u] = v41;
    let at42 = (((((column / 1024u) * 32u) + (row + r + 2u)) * 1024u) + (column % 1024u));
    let v43 = x0[(row + r + 2u)];
    let v44 = vec4<f32>(c2_0, c2_1, c2_2, c2_3);
    let v45 = (v44 + vec4<f32>(v43));
    let v46 = (v45 <= vec4<f32>(v31));
    let v47 = gc_hold_v4(v45);
    let v48 = select(v47, vec4<f32>(v31), v46);
    y0[(((((column / 1024u) * 32u) + (row + r + 2u)) * 1024u) + (column % 1024u)) / 4u] = v48;
    let at49 = (((((column / 1024u) * 32u) + (row + r + 3u)) * 1024u) + (column % 1024u));
    let v50 = x0[(row + r + 3u)];
    let v51 = vec4<f32>(c3_0, c3_1, c3_2, c3_3);
    let v52 = (v51 + vec4<f32>(v50));
    let v53 = (v52 <= vec4<f32>(v31));
    let v54 = gc_hold_v4(v52);
    let v55 = select(v54, vec4<f32>(v31), v53);
    y0[(((((column / 1024u) * 32u) + (row + r + 3u)) * 1024u) + (column % 1024u)) / 4u] = v55;
    c0_0 = c4_0; c0_1 = c4_1; c0_2 = c4_2; c0_3 = c4_3;
    c1_0 = c5_0; c1_1 = c5_1; c1_2 = c5_2; c1_3 = c5_3;
    c2_0 = c6_0; c2_1 = c6_1; c2_2 = c6_2; c2_3 = c6_3;
    c3_0 = c7_0; c3_1 = c7_1; c3_2 = c7_2; c3_3 = c7_3;
    c4_0 = c8_0; c4_1 = c8_1; c4_2 = c8_2; c4_3 = c8_3;
    c5_0 = c9_0; c5_1 = c9_1; c5_2 = c9_2; c5_3 = c9_3;
    c6_0 = c10_0; c6_1 = c10_1; c6_2 = c10_2; c6_3 = c10_3;
    c7_0 = c11_0; c7_1 = c11_1; c7_2 = c11_2; c7_3 = c11_3;
    c8_0 = c12_0; c8_1 = c12_1; c8_2 = c12_2; c8_3 = c12_3;
    c9_0 = c13_0; c9_1 = c13_1; c9_2 = c13_2; c9_3 = c13_3;
    c10_0 = c14_0; c10_1 = c14_1; c10_2 = c14_2; c10_3 = c14_3;
    c11_0 = c15_0; c11_1 = c15_1; c11_2 = c15_2; c11_3 = c15_3;
    c12_0 = c16_0; c12_1 = c16_1; c12_2 = c16_2; c12_3 = c16_3;
    c13_0 = c17_0; c13_1 = c17_1; c13_2 = c17_2; c13_3 = c17_3;
    c14_0 = c18_0; c14_1 = c18_1; c14_2 = c18_2; c14_3 = c18_3;
    c15_0 = c19_0; c15_1 = c19_1; c15_2 = c19_2; c15_3 = c19_3;
    c16_0 = c20_0; c16_1 = c20_1; c16_2 = c20_2; c16_3 = c20_3;
    c17_0 = c21_0; c17_1 = c21_1; c17_2 = c21_2; c17_3 = c21_3;
    c18_0 = c22_0; c18_1 = c22_1; c18_2 = c22_2; c18_3 = c22_3;
    c19_0 = c23_0; c19_1 = c23_1; c19_2 = c23_2; c19_3 = c23_3;
    c20_0 = c24_0; c20_1 = c24_1; c20_2 = c24_2; c20_3 = c24_3;
    c21_0 = c25_0; c21_1 = c25_1; c21_2 = c25_2; c21_3 = c25_3;
    c22_0 = c26_0; c22_1 = c26_1; c22_2 = c26_2; c22_3 = c26_3;
    c23_0 = c27_0; c23_1 = c27_1; c23_2 = c27_2; c23_3 = c27_3;
    c24_0 = c28_0; c24_1 = c28_1; c24_2 = c28_2; c24_3 = c28_3;
    c25_0 = c29_0; c25_1 = c29_1; c25_2 = c29_2; c25_3 = c29_3;
    c26_0 = c30_0; c26_1 = c30_1; c26_2 = c30_2; c26_3 = c30_3;
    c27_0 = c31_0; c27_1 = c31_1; c27_2 = c31_2; c27_3 = c31_3;
  }
}
