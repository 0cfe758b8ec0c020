// attention_forward: workgroups [(12, 1, 1)], binds read, read, read, read_write, read_write
@group(0) @binding(0) var<storage, read> x0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> x1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> x2: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y0: array<f32>;
@group(0) @binding(4) var<storage, read_write> y1: array<vec4<f32>>;

fn gc_isnan(x: f32) -> bool {
  return (bitcast<u32>(x) & u32(0x7fffffffu)) > u32(0x7f800000u);
}
fn gc_isnan_v4(x: vec4<f32>) -> vec4<bool> {
  return (bitcast<vec4<u32>>(x) & vec4<u32>(0x7fffffffu)) > vec4<u32>(0x7f800000u);
}
fn gc_nan(x: f32) -> f32 {
  return bitcast<f32>(bitcast<u32>(x) | u32(0x7fc00000u));
}
fn gc_inf(x: f32) -> f32 {
  return bitcast<f32>((bitcast<u32>(x) & u32(0u)) | u32(0x7f800000u));
}
fn gc_exponent(x: f32) -> i32 {
  return (bitcast<i32>(x) - i32(0x3f3504f3)) >> u32(23u);
}
fn gc_mantissa(x: f32, e: i32) -> f32 {
  return bitcast<f32>(bitcast<i32>(x) - (e << u32(23u)));
}
fn gc_log_sum(f: f32, e: f32, correction: f32) -> f32 {
  var p = -0.07859546 * f + 0.12881622;
  p = p * f - 0.13128768;
  p = p * f + 0.14181197;
  p = p * f - 0.16624554;
  p = p * f + 0.20002286;
  p = p * f - 0.2500081;
  p = p * f + 0.33333316;
  let tail = f * f * (p * f - 0.5) + (correction - e * 2.1219444e-4);
  return (f + tail) + e * 0.693359375;
}
fn gc_log_special(x: f32, y: f32) -> f32 {
  let negative = select(y, gc_nan(x), x < f32(0.0));
  let zero = select(negative, -gc_inf(x), abs(x) < f32(1.1754944e-38));
  return select(zero, x, gc_isnan(x) | (bitcast<u32>(x) == u32(0x7f800000u)));
}
fn gc_log(x: f32) -> f32 {
  let e = gc_exponent(x);
  return gc_log_special(x, gc_log_sum(gc_mantissa(x, e) - 1.0, f32(e), f32(0.0)));
}

// attention: softmax(scale q k^T) v, rows are queries; running maximum and sum, rescaled as these change
// grid: one workgroup for 32 rows of one batch element, 2 blocks of rows each, those with the most to do first; folded into y.
// It visits the other side in steps of 32 columns. Each of its 8 bands of 8 lanes holds the scores of
// 4 rows, 8 apart, at 4 columns a lane, 8 apart. What is multiplied goes through workgroup memory,
// 8 vectors of each row and column at a time: first the operands of the scores, then weights and what they weigh.
// Neighbours lie in different banks: place p of plane c is p ^ c, of a factor that spreads few planes over eight banks.
var<workgroup> of_rows: array<array<array<vec4<f32>, 8>, 4>, 8>;
var<workgroup> of_columns: array<array<array<vec4<f32>, 8>, 4>, 8>;

fn weight_v4(x: vec4<f32>) -> vec4<f32> {
  return select(exp(x), x, gc_isnan_v4(x));
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let block = group.x + group.y * 12u;
  if (block >= 12u) { return; }
  let batch = block % 6u;
  let first = (1u - block / 6u) * 32u;
  let lane = local % 8u;
  let band = local / 8u;
  let at1 = (batch / 3u);
  let at2 = (batch % 3u);
  let e16_0 = min((lane + 0u) * 4u, 12u);
  var top0 = -1e38;
  var total0 = 0.0;
  var o0_0 = vec4<f32>();
  var top1 = -1e38;
  var total1 = 0.0;
  var o1_0 = vec4<f32>();
  var top2 = -1e38;
  var total2 = 0.0;
  var o2_0 = vec4<f32>();
  var top3 = -1e38;
  var total3 = 0.0;
  var o3_0 = vec4<f32>();
  let end = min(first + 32u, 40u);
  for (var next = 0u; next < end; next += 32u) {  // at most 2 turns
    let column0 = vec4<u32>(next + lane) + vec4<u32>(0u, 8u, 16u, 24u);
    // Scores: products of vectors of each row and column, some of which come into workgroup memory at a time.
    var s0_0 = vec4<f32>();
    var s1_0 = vec4<f32>();
    var s2_0 = vec4<f32>();
    var s3_0 = vec4<f32>();
    {
      workgroupBarrier();
      let line_r0 = local / 4u; let c_r0 = local % 4u;
      let e_r0 = (c_r0) * 4u;
      let p_r0 = first + line_r0;
      let q_r0 = min(p_r0, 39u);
      let v3 = x0[((((at1 * 1920u) + (at2 * 640u)) + (q_r0 * 16u)) + e_r0) / 4u];
      let line_r1 = (local + 64u) / 4u; let c_r1 = (local + 64u) % 4u;
      let e_r1 = (c_r1) * 4u;
      let p_r1 = first + line_r1;
      let q_r1 = min(p_r1, 39u);
      let v4 = x0[((((at1 * 1920u) + (at2 * 640u)) + (q_r1 * 16u)) + e_r1) / 4u];
      of_rows[c_r0][line_r0 / 8u][(line_r0 % 8u) ^ ((c_r0 * 2u) & 7u)] = select(vec4<f32>(), v3, p_r0 < 40u);
      of_rows[c_r1][line_r1 / 8u][(line_r1 % 8u) ^ ((c_r1 * 2u) & 7u)] = select(vec4<f32>(), v4, p_r1 < 40u);
      let line_c0 = local / 4u; let c_c0 = local % 4u;
      let e_c0 = (c_c0) * 4u;
      let p_c0 = next + line_c0;
      let q_c0 = min(p_c0, 39u);
      let v5 = x1[((((at1 * 1920u) + (at2 * 640u)) + (q_c0 * 16u)) + e_c0) / 4u];
      let line_c1 = (local + 64u) / 4u; let c_c1 = (local + 64u) % 4u;
      let e_c1 = (c_c1) * 4u;
      let p_c1 = next + line_c1;
      let q_c1 = min(p_c1, 39u);
      let v6 = x1[((((at1 * 1920u) + (at2 * 640u)) + (q_c1 * 16u)) + e_c1) / 4u];
      of_columns[c_c0][line_c0 / 8u][(line_c0 % 8u) ^ ((c_c0 * 2u) & 7u)] = select(vec4<f32>(), v5, p_c0 < 40u);
      of_columns[c_c1][line_c1 / 8u][(line_c1 % 8u) ^ ((c_c1 * 2u) & 7u)] = select(vec4<f32>(), v6, p_c1 < 40u);
      workgroupBarrier();
      for (var c = 0u; c < 4u; c += 1u) {
        {
          let in_lane = lane ^ ((c * 2u) & 7u);
          let in_band = band ^ ((c * 2u) & 7u);
          let b0 = of_columns[c][0u][in_lane];
          let b1 = of_columns[c][1u][in_lane];
          let b2 = of_columns[c][2u][in_lane];
          let b3 = of_columns[c][3u][in_lane];
          let c0_0 = vec4<f32>(b0.x, b1.x, b2.x, b3.x);
          let c0_1 = vec4<f32>(b0.y, b1.y, b2.y, b3.y);
          let c0_2 = vec4<f32>(b0.z, b1.z, b2.z, b3.z);
          let c0_3 = vec4<f32>(b0.w, b1.w, b2.w, b3.w);
          {
            let a = of_rows[c][0u][in_band];
            s0_0 += a.x * c0_0;
            s0_0 += a.y * c0_1;
            s0_0 += a.z * c0_2;
            s0_0 += a.w * c0_3;
          }
          {
            let a = of_rows[c][1u][in_band];
            s1_0 += a.x * c0_0;
            s1_0 += a.y * c0_1;
            s1_0 += a.z * c0_2;
            s1_0 += a.w * c0_3;
          }
          {
            let a = of_rows[c][2u][in_band];
            s2_0 += a.x * c0_0;
            s2_0 += a.y * c0_1;
            s2_0 += a.z * c0_2;
            s2_0 += a.w * c0_3;
          }
          {
            let a = of_rows[c][3u][in_band];
            s3_0 += a.x * c0_0;
            s3_0 += a.y * c0_1;
            s3_0 += a.z * c0_2;
            s3_0 += a.w * c0_3;
          }
        }
      }
    }
    // Weights, by the highest score so far. Where a higher one is found, what was summed before shrinks.
    s0_0 *= 0.25f;
    let seen0_0 = column0 <= vec4<u32>(min(first + band + 0u, 39u));
    let best0 = select(vec4<f32>(-1e38), s0_0, seen0_0);
    let most0 = max(max(best0.x, best0.y), max(best0.z, best0.w));
    s1_0 *= 0.25f;
    let seen1_0 = column0 <= vec4<u32>(min(first + band + 8u + 0u, 39u));
    let best1 = select(vec4<f32>(-1e38), s1_0, seen1_0);
    let most1 = max(max(best1.x, best1.y), max(best1.z, best1.w));
    s2_0 *= 0.25f;
    let seen2_0 = column0 <= vec4<u32>(min(first + band + 16u + 0u, 39u));
    let best2 = select(vec4<f32>(-1e38), s2_0, seen2_0);
    let most2 = max(max(best2.x, best2.y), max(best2.z, best2.w));
    s3_0 *= 0.25f;
    let seen3_0 = column0 <= vec4<u32>(min(first + band + 24u + 0u, 39u));
    let best3 = select(vec4<f32>(-1e38), s3_0, seen3_0);
    let most3 = max(max(best3.x, best3.y), max(best3.z, best3.w));
    workgroupBarrier();
     {
      let part = lane / 2u; let i = lane % 2u;
      let spread = (i & 1u) | ((i & 2u) << 1u);
      of_rows[(lane) / 4u][(lane) % 4u * 1u + 0u][band ^ ((part * 2u + 0u) ^ spread)] = vec4<f32>(most0, most1, most2, most3);
    }
    workgroupBarrier();
    if (lane < 4u) {
      let part = lane / 1u; let q = lane % 1u;
      var joined = of_rows[(part * 2u + 0u) / 4u][(part * 2u + 0u) % 4u * 1u + q][band ^ ((part * 2u + q) ^ 0u)];
      joined = max(joined, of_rows[(part * 2u + 1u) / 4u][(part * 2u + 1u) % 4u * 1u + q][band ^ ((part * 2u + q) ^ 1u)]);
      of_rows[2u][lane][band ^ (lane & 7u)] = joined;
    }
    workgroupBarrier();
    var highest0 = of_rows[2u][0u][band ^ 0u];
    highest0 = max(highest0, of_rows[2u][1u][band ^ 1u]);
    highest0 = max(highest0, of_rows[2u][2u][band ^ 2u]);
    highest0 = max(highest0, of_rows[2u][3u][band ^ 3u]);
    {
      let now = max(top0, highest0.x);
      let shrink = exp(top0 - now);
      total0 *= shrink;
      s0_0 = select(vec4<f32>(), weight_v4(s0_0 - now), seen0_0);
      total0 += (s0_0.x + s0_0.y) + (s0_0.z + s0_0.w);
      top0 = now;
      o0_0 *= shrink;
    }
    {
      let now = max(top1, highest0.y);
      let shrink = exp(top1 - now);
      total1 *= shrink;
      s1_0 = select(vec4<f32>(), weight_v4(s1_0 - now), seen1_0);
      total1 += (s1_0.x + s1_0.y) + (s1_0.z + s1_0.w);
      top1 = now;
      o1_0 *= shrink;
    }
    {
      let now = max(top2, highest0.z);
      let shrink = exp(top2 - now);
      total2 *= shrink;
      s2_0 = select(vec4<f32>(), weight_v4(s2_0 - now), seen2_0);
      total2 += (s2_0.x + s2_0.y) + (s2_0.z + s2_0.w);
      top2 = now;
      o2_0 *= shrink;
    }
    {
      let now = max(top3, highest0.w);
      let shrink = exp(top3 - now);
      total3 *= shrink;
      s3_0 = select(vec4<f32>(), weight_v4(s3_0 - now), seen3_0);
      total3 += (s3_0.x + s3_0.y) + (s3_0.z + s3_0.w);
      top3 = now;
      o3_0 *= shrink;
    }
    // Sums of the weighted rows of the other side. A slot is four columns of a lane: some slots at a time have their
    // weights put into workgroup memory, one vector a row, with the rows of their columns.
    for (var w = 0u; w < 8u; w += 8u) {
      workgroupBarrier();
      if (lane - w < 8u) {
        let slot = lane - w;
        let in_band = band ^ (slot & 7u);
        of_rows[slot][0u][in_band] = s0_0;
        of_rows[slot][1u][in_band] = s1_0;
        of_rows[slot][2u][in_band] = s2_0;
        of_rows[slot][3u][in_band] = s3_0;
      }
      let start = next + w;
      let line_v0 = local / 4u; let e_v0 = local % 4u;
      let j_v0 = line_v0 / 8u; let c_v0 = line_v0 % 8u;
      let p_v0 = start + j_v0 * 8u + c_v0;
      let q_v0 = min(p_v0, 39u);
      let v8 = x2[((((at1 * 1920u) + (at2 * 640u)) + (q_v0 * 16u)) + (e_v0 * 4u)) / 4u];
      let line_v1 = (local + 64u) / 4u; let e_v1 = (local + 64u) % 4u;
      let j_v1 = line_v1 / 8u; let c_v1 = line_v1 % 8u;
      let p_v1 = start + j_v1 * 8u + c_v1;
      let q_v1 = min(p_v1, 39u);
      let v9 = x2[((((at1 * 1920u) + (at2 * 640u)) + (q_v1 * 16u)) + (e_v1 * 4u)) / 4u];
      of_columns[c_v0][j_v0][e_v0 % 8u] = select(vec4<f32>(), v8, p_v0 < 40u);
      of_columns[c_v1][j_v1][e_v1 % 8u] = select(vec4<f32>(), v9, p_v1 < 40u);
      workgroupBarrier();
      for (var c = 0u; c < 8u; c += 1u) {
        {
          let in_band = band ^ (c & 7u);
          let b0_0 = of_columns[c][0u][lane];
          let b0_1 = of_columns[c][1u][lane];
          let b0_2 = of_columns[c][2u][lane];
          let b0_3 = of_columns[c][3u][lane];
          {
            let a = of_rows[c][0u][in_band];
            o0_0 += a.x * b0_0;
            o0_0 += a.y * b0_1;
            o0_0 += a.z * b0_2;
            o0_0 += a.w * b0_3;
          }
          {
            let a = of_rows[c][1u][in_band];
            o1_0 += a.x * b0_0;
            o1_0 += a.y * b0_1;
            o1_0 += a.z * b0_2;
            o1_0 += a.w * b0_3;
          }
          {
            let a = of_rows[c][2u][in_band];
            o2_0 += a.x * b0_0;
            o2_0 += a.y * b0_1;
            o2_0 += a.z * b0_2;
            o2_0 += a.w * b0_3;
          }
          {
            let a = of_rows[c][3u][in_band];
            o3_0 += a.x * b0_0;
            o3_0 += a.y * b0_1;
            o3_0 += a.z * b0_2;
            o3_0 += a.w * b0_3;
          }
        }
      }
    }
  }
  workgroupBarrier();
   {
    let part = lane / 2u; let i = lane % 2u;
    let spread = (i & 1u) | ((i & 2u) << 1u);
    of_rows[(lane) / 4u][(lane) % 4u * 1u + 0u][band ^ ((part * 2u + 0u) ^ spread)] = vec4<f32>(total0, total1, total2, total3);
  }
  workgroupBarrier();
  if (lane < 4u) {
    let part = lane / 1u; let q = lane % 1u;
    var joined = of_rows[(part * 2u + 0u) / 4u][(part * 2u + 0u) % 4u * 1u + q][band ^ ((part * 2u + q) ^ 0u)];
    joined = (joined + of_rows[(part * 2u + 1u) / 4u][(part * 2u + 1u) % 4u * 1u + q][band ^ ((part * 2u + q) ^ 1u)]);
    of_rows[2u][lane][band ^ (lane & 7u)] = joined;
  }
  workgroupBarrier();
  var sum0 = of_rows[2u][0u][band ^ 0u];
  sum0 = (sum0 + of_rows[2u][1u][band ^ 1u]);
  sum0 = (sum0 + of_rows[2u][2u][band ^ 2u]);
  sum0 = (sum0 + of_rows[2u][3u][band ^ 3u]);
  if (lane == 0u) {
    if (first + band < 40u) {
      y0[(((at1 * 120u) + (at2 * 40u)) + (first + band))] = top0 + gc_log(sum0.x);
    }
    if (first + band + 8u < 40u) {
      y0[(((at1 * 120u) + (at2 * 40u)) + (first + band + 8u))] = top1 + gc_log(sum0.y);
    }
    if (first + band + 16u < 40u) {
      y0[(((at1 * 120u) + (at2 * 40u)) + (first + band + 16u))] = top2 + gc_log(sum0.z);
    }
    if (first + band + 24u < 40u) {
      y0[(((at1 * 120u) + (at2 * 40u)) + (first + band + 24u))] = top3 + gc_log(sum0.w);
    }
  }
  let part0 = 1.0 / sum0.x;
  let part1 = 1.0 / sum0.y;
  let part2 = 1.0 / sum0.z;
  let part3 = 1.0 / sum0.w;
  if (first + band < 40u && (lane + 0u) * 4u < 16u) {
    y1[((((at1 * 1920u) + (at2 * 640u)) + ((first + band) * 16u)) + e16_0) / 4u] = o0_0 * part0;
  }
  if (first + band + 8u < 40u && (lane + 0u) * 4u < 16u) {
    y1[((((at1 * 1920u) + (at2 * 640u)) + ((first + band + 8u) * 16u)) + e16_0) / 4u] = o1_0 * part1;
  }
  if (first + band + 16u < 40u && (lane + 0u) * 4u < 16u) {
    y1[((((at1 * 1920u) + (at2 * 640u)) + ((first + band + 16u) * 16u)) + e16_0) / 4u] = o2_0 * part2;
  }
  if (first + band + 24u < 40u && (lane + 0u) * 4u < 16u) {
    y1[((((at1 * 1920u) + (at2 * 640u)) + ((first + band + 24u) * 16u)) + e16_0) / 4u] = o3_0 * part3;
  }
}

// row_add_mul_sum: workgroups [(4, 1, 1)], binds read_write, read_write
@group(0) @binding(0) var<storage, read_write> y0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> y1: array<f32>;

fn gc_unknown() -> u32 {
  return select(0u, 1u, arrayLength(&y0) == 0u);
}
fn gc_hold_v4(x: vec4<f32>) -> vec4<f32> {
  return bitcast<vec4<f32>>(bitcast<vec4<u32>>(x) + vec4<u32>(gc_unknown()));
}

// row: add_mul_sum; 240 rows of 16 elements, reduced along the row
// grid: a workgroup for 64 row(s), each of them shared by 1 invocation(s); folded into y; needs: nothing
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let row = group.x * 64u + local;
  let lane = 0u;
  if (row >= 240u) { return; }
  let v1 = y0[((row * 16u) + 0u) / 4u];
  let v2 = gc_hold_v4(v1);
  let v3 = (v1 + v2);
  let v4 = gc_hold_v4(v3);
  let v5 = (v4 * v1);
  let v6 = y0[((row * 16u) + 4u) / 4u];
  let v7 = gc_hold_v4(v6);
  let v8 = (v6 + v7);
  let v9 = gc_hold_v4(v8);
  let v10 = (v9 * v6);
  let v11 = gc_hold_v4(v10);
  let v12 = (v5 + v11);
  let v13 = y0[((row * 16u) + 8u) / 4u];
  let v14 = gc_hold_v4(v13);
  let v15 = (v13 + v14);
  let v16 = gc_hold_v4(v15);
  let v17 = (v16 * v13);
  let v18 = (v12 + v17);
  let v19 = y0[((row * 16u) + 12u) / 4u];
  let v20 = gc_hold_v4(v19);
  let v21 = (v19 + v20);
  let v22 = gc_hold_v4(v21);
  let v23 = (v22 * v19);
  let v24 = (v18 + v23);
  let v25 = (v24.x + v24.y);
  let v26 = (v24.z + v24.w);
  let v27 = (v25 + v26);
  y0[((row * 16u) + 0u) / 4u] = v3;
  y0[((row * 16u) + 4u) / 4u] = v8;
  y0[((row * 16u) + 8u) / 4u] = v15;
  y0[((row * 16u) + 12u) / 4u] = v21;
  y1[row] = v27;
}

// attention_queries: workgroups [(12, 1, 1)], binds read_write, read_write, read, read, read_write, read, read_write
@group(0) @binding(0) var<storage, read_write> x0: array<f32>;
@group(0) @binding(1) var<storage, read_write> x1: array<f32>;
@group(0) @binding(2) var<storage, read> x2: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> x3: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> x4: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> x5: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> y0: array<vec4<f32>>;

fn gc_isnan_v4(x: vec4<f32>) -> vec4<bool> {
  return (bitcast<vec4<u32>>(x) & vec4<u32>(0x7fffffffu)) > vec4<u32>(0x7f800000u);
}

// attention, gradient of the queries: rows are queries, columns keys
// grid: one workgroup for 32 rows of one batch element, 2 blocks of rows each, those with the most to do first; folded into y.
// It visits the other side in steps of 32 columns. Each of its 8 bands of 8 lanes holds the scores of
// 4 rows, 8 apart, at 4 columns a lane, 8 apart. What is multiplied goes through workgroup memory,
// 8 vectors of each row and column at a time: first the operands of the scores, then weights and what they weigh.
// Neighbours lie in different banks: place p of plane c is p ^ c, of a factor that spreads few planes over eight banks.
var<workgroup> of_rows: array<array<array<vec4<f32>, 8>, 4>, 8>;
var<workgroup> of_columns: array<array<array<vec4<f32>, 8>, 4>, 8>;

fn weight_v4(x: vec4<f32>) -> vec4<f32> {
  return select(exp(x), x, gc_isnan_v4(x));
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let block = group.x + group.y * 12u;
  if (block >= 12u) { return; }
  let batch = block % 6u;
  let first = (1u - block / 6u) * 32u;
  let lane = local % 8u;
  let band = local / 8u;
  let at1 = (batch / 3u);
  let at2 = (batch % 3u);
  let e16_0 = min((lane + 0u) * 4u, 12u);
  let row0 = min(first + band, 39u);
  let v3 = x0[(((at1 * 120u) + (at2 * 40u)) + row0)];
  let v4 = x1[(((at1 * 120u) + (at2 * 40u)) + row0)];
  let lse0 = v3; let delta0 = v4;
  var o0_0 = vec4<f32>();
  let row1 = min(first + band + 8u, 39u);
  let v5 = x0[(((at1 * 120u) + (at2 * 40u)) + row1)];
  let v6 = x1[(((at1 * 120u) + (at2 * 40u)) + row1)];
  let lse1 = v5; let delta1 = v6;
  var o1_0 = vec4<f32>();
  let row2 = min(first + band + 16u, 39u);
  let v7 = x0[(((at1 * 120u) + (at2 * 40u)) + row2)];
  let v8 = x1[(((at1 * 120u) + (at2 * 40u)) + row2)];
  let lse2 = v7; let delta2 = v8;
  var o2_0 = vec4<f32>();
  let row3 = min(first + band + 24u, 39u);
  let v9 = x0[(((at1 * 120u) + (at2 * 40u)) + row3)];
  let v10 = x1[(((at1 * 120u) + (at2 * 40u)) + row3)];
  let lse3 = v9; let delta3 = v10;
  var o3_0 = vec4<f32>();
  let end = min(first + 32u, 40u);
  for (var next = 0u; next < end; next += 32u) {  // at most 2 turns
    let column0 = vec4<u32>(next + lane) + vec4<u32>(0u, 8u, 16u, 24u);
    // Scores: products of vectors of each row and column, some of which come into workgroup memory at a time.
    var s0_0 = vec4<f32>();
    var s1_0 = vec4<f32>();
    var s2_0 = vec4<f32>();
    var s3_0 = vec4<f32>();
    {
      workgroupBarrier();
      let line_r0 = local / 4u; let c_r0 = local % 4u;
      let e_r0 = (c_r0) * 4u;
      let p_r0 = first + line_r0;
      let q_r0 = min(p_r0, 39u);
      let v11 = x2[((((at1 * 1920u) + (at2 * 640u)) + (q_r0 * 16u)) + e_r0) / 4u];
      let line_r1 = (local + 64u) / 4u; let c_r1 = (local + 64u) % 4u;
      let e_r1 = (c_r1) * 4u;
      let p_r1 = first + line_r1;
      let q_r1 = min(p_r1, 39u);
      let v12 = x2[((((at1 * 1920u) + (at2 * 640u)) + (q_r1 * 16u)) + e_r1) / 4u];
      of_rows[c_r0][line_r0 / 8u][(line_r0 % 8u) ^ ((c_r0 * 2u) & 7u)] = select(vec4<f32>(), v11, p_r0 < 40u);
      of_rows[c_r1][line_r1 / 8u][(line_r1 % 8u) ^ ((c_r1 * 2u) & 7u)] = select(vec4<f32>(), v12, p_r1 < 40u);
      let line_c0 = local / 4u; let c_c0 = local % 4u;
      let e_c0 = (c_c0) * 4u;
      let p_c0 = next + line_c0;
      let q_c0 = min(p_c0, 39u);
      let v13 = x3[((((at1 * 1920u) + (at2 * 640u)) + (q_c0 * 16u)) + e_c0) / 4u];
      let line_c1 = (local + 64u) / 4u; let c_c1 = (local + 64u) % 4u;
      let e_c1 = (c_c1) * 4u;
      let p_c1 = next + line_c1;
      let q_c1 = min(p_c1, 39u);
      let v14 = x3[((((at1 * 1920u) + (at2 * 640u)) + (q_c1 * 16u)) + e_c1) / 4u];
      of_columns[c_c0][line_c0 / 8u][(line_c0 % 8u) ^ ((c_c0 * 2u) & 7u)] = select(vec4<f32>(), v13, p_c0 < 40u);
      of_columns[c_c1][line_c1 / 8u][(line_c1 % 8u) ^ ((c_c1 * 2u) & 7u)] = select(vec4<f32>(), v14, p_c1 < 40u);
      workgroupBarrier();
      for (var c = 0u; c < 4u; c += 1u) {
        {
          let in_lane = lane ^ ((c * 2u) & 7u);
          let in_band = band ^ ((c * 2u) & 7u);
          let b0 = of_columns[c][0u][in_lane];
          let b1 = of_columns[c][1u][in_lane];
          let b2 = of_columns[c][2u][in_lane];
          let b3 = of_columns[c][3u][in_lane];
          let c0_0 = vec4<f32>(b0.x, b1.x, b2.x, b3.x);
          let c0_1 = vec4<f32>(b0.y, b1.y, b2.y, b3.y);
          let c0_2 = vec4<f32>(b0.z, b1.z, b2.z, b3.z);
          let c0_3 = vec4<f32>(b0.w, b1.w, b2.w, b3.w);
          {
            let a = of_rows[c][0u][in_band];
            s0_0 += a.x * c0_0;
            s0_0 += a.y * c0_1;
            s0_0 += a.z * c0_2;
            s0_0 += a.w * c0_3;
          }
          {
            let a = of_rows[c][1u][in_band];
            s1_0 += a.x * c0_0;
            s1_0 += a.y * c0_1;
            s1_0 += a.z * c0_2;
            s1_0 += a.w * c0_3;
          }
          {
            let a = of_rows[c][2u][in_band];
            s2_0 += a.x * c0_0;
            s2_0 += a.y * c0_1;
            s2_0 += a.z * c0_2;
            s2_0 += a.w * c0_3;
          }
          {
            let a = of_rows[c][3u][in_band];
            s3_0 += a.x * c0_0;
            s3_0 += a.y * c0_1;
            s3_0 += a.z * c0_2;
            s3_0 += a.w * c0_3;
          }
        }
      }
    }
    var g0_0 = vec4<f32>();
    var g1_0 = vec4<f32>();
    var g2_0 = vec4<f32>();
    var g3_0 = vec4<f32>();
    {
      workgroupBarrier();
      let line_r0 = local / 4u; let c_r0 = local % 4u;
      let e_r0 = (c_r0) * 4u;
      let p_r0 = first + line_r0;
      let q_r0 = min(p_r0, 39u);
      let v15 = x4[((((at1 * 1920u) + (at2 * 640u)) + (q_r0 * 16u)) + e_r0) / 4u];
      let line_r1 = (local + 64u) / 4u; let c_r1 = (local + 64u) % 4u;
      let e_r1 = (c_r1) * 4u;
      let p_r1 = first + line_r1;
      let q_r1 = min(p_r1, 39u);
      let v16 = x4[((((at1 * 1920u) + (at2 * 640u)) + (q_r1 * 16u)) + e_r1) / 4u];
      of_rows[c_r0][line_r0 / 8u][(line_r0 % 8u) ^ ((c_r0 * 2u) & 7u)] = select(vec4<f32>(), v15, p_r0 < 40u);
      of_rows[c_r1][line_r1 / 8u][(line_r1 % 8u) ^ ((c_r1 * 2u) & 7u)] = select(vec4<f32>(), v16, p_r1 < 40u);
      let line_c0 = local / 4u; let c_c0 = local % 4u;
      let e_c0 = (c_c0) * 4u;
      let p_c0 = next + line_c0;
      let q_c0 = min(p_c0, 39u);
      let v17 = x5[((((at1 * 1920u) + (at2 * 640u)) + (q_c0 * 16u)) + e_c0) / 4u];
      let line_c1 = (local + 64u) / 4u; let c_c1 = (local + 64u) % 4u;
      let e_c1 = (c_c1) * 4u;
      let p_c1 = next + line_c1;
      let q_c1 = min(p_c1, 39u);
      let v18 = x5[((((at1 * 1920u) + (at2 * 640u)) + (q_c1 * 16u)) + e_c1) / 4u];
      of_columns[c_c0][line_c0 / 8u][(line_c0 % 8u) ^ ((c_c0 * 2u) & 7u)] = select(vec4<f32>(), v17, p_c0 < 40u);
      of_columns[c_c1][line_c1 / 8u][(line_c1 % 8u) ^ ((c_c1 * 2u) & 7u)] = select(vec4<f32>(), v18, p_c1 < 40u);
      workgroupBarrier();
      for (var c = 0u; c < 4u; c += 1u) {
        {
          let in_lane = lane ^ ((c * 2u) & 7u);
          let in_band = band ^ ((c * 2u) & 7u);
          let b0 = of_columns[c][0u][in_lane];
          let b1 = of_columns[c][1u][in_lane];
          let b2 = of_columns[c][2u][in_lane];
          let b3 = of_columns[c][3u][in_lane];
          let c0_0 = vec4<f32>(b0.x, b1.x, b2.x, b3.x);
          let c0_1 = vec4<f32>(b0.y, b1.y, b2.y, b3.y);
          let c0_2 = vec4<f32>(b0.z, b1.z, b2.z, b3.z);
          let c0_3 = vec4<f32>(b0.w, b1.w, b2.w, b3.w);
          {
            let a = of_rows[c][0u][in_band];
            g0_0 += a.x * c0_0;
            g0_0 += a.y * c0_1;
            g0_0 += a.z * c0_2;
            g0_0 += a.w * c0_3;
          }
          {
            let a = of_rows[c][1u][in_band];
            g1_0 += a.x * c0_0;
            g1_0 += a.y * c0_1;
            g1_0 += a.z * c0_2;
            g1_0 += a.w * c0_3;
          }
          {
            let a = of_rows[c][2u][in_band];
            g2_0 += a.x * c0_0;
            g2_0 += a.y * c0_1;
            g2_0 += a.z * c0_2;
            g2_0 += a.w * c0_3;
          }
          {
            let a = of_rows[c][3u][in_band];
            g3_0 += a.x * c0_0;
            g3_0 += a.y * c0_1;
            g3_0 += a.z * c0_2;
            g3_0 += a.w * c0_3;
          }
        }
      }
    }
    // Weights, from the logarithms of the sums of the forward pass; g: the gradients of the scores.
    s0_0 = select(vec4<f32>(), weight_v4(s0_0 * 0.25f - lse0), column0 <= vec4<u32>(min(first + band + 0u, 39u)));
    g0_0 = s0_0 * (g0_0 - delta0) * 0.25f;
    s1_0 = select(vec4<f32>(), weight_v4(s1_0 * 0.25f - lse1), column0 <= vec4<u32>(min(first + band + 8u + 0u, 39u)));
    g1_0 = s1_0 * (g1_0 - delta1) * 0.25f;
    s2_0 = select(vec4<f32>(), weight_v4(s2_0 * 0.25f - lse2), column0 <= vec4<u32>(min(first + band + 16u + 0u, 39u)));
    g2_0 = s2_0 * (g2_0 - delta2) * 0.25f;
    s3_0 = select(vec4<f32>(), weight_v4(s3_0 * 0.25f - lse3), column0 <= vec4<u32>(min(first + band + 24u + 0u, 39u)));
    g3_0 = s3_0 * (g3_0 - delta3) * 0.25f;
    // Sums of the weighted rows of the other side. A slot is four columns of a lane: some slots at a time have their
    // weights put into workgroup memory, one vector a row, with the rows of their columns.
    for (var w = 0u; w < 8u; w += 8u) {
      workgroupBarrier();
      if (lane - w < 8u) {
        let slot = lane - w;
        let in_band = band ^ (slot & 7u);
        of_rows[slot][0u][in_band] = g0_0;
        of_rows[slot][1u][in_band] = g1_0;
        of_rows[slot][2u][in_band] = g2_0;
        of_rows[slot][3u][in_band] = g3_0;
      }
      let start = next + w;
      let line_v0 = local / 4u; let e_v0 = local % 4u;
      let j_v0 = line_v0 / 8u; let c_v0 = line_v0 % 8u;
      let p_v0 = start + j_v0 * 8u + c_v0;
      let q_v0 = min(p_v0, 39u);
      let v20 = x3[((((at1 * 1920u) + (at2 * 640u)) + (q_v0 * 16u)) + (e_v0 * 4u)) / 4u];
      let line_v1 = (local + 64u) / 4u; let e_v1 = (local + 64u) % 4u;
      let j_v1 = line_v1 / 8u; let c_v1 = line_v1 % 8u;
      let p_v1 = start + j_v1 * 8u + c_v1;
      let q_v1 = min(p_v1, 39u);
      let v21 = x3[((((at1 * 1920u) + (at2 * 640u)) + (q_v1 * 16u)) + (e_v1 * 4u)) / 4u];
      of_columns[c_v0][j_v0][e_v0 % 8u] = select(vec4<f32>(), v20, p_v0 < 40u);
      of_columns[c_v1][j_v1][e_v1 % 8u] = select(vec4<f32>(), v21, p_v1 < 40u);
      workgroupBarrier();
      for (var c = 0u; c < 8u; c += 1u) {
        {
          let in_band = band ^ (c & 7u);
          let b0_0 = of_columns[c][0u][lane];
          let b0_1 = of_columns[c][1u][lane];
          let b0_2 = of_columns[c][2u][lane];
          let b0_3 = of_columns[c][3u][lane];
          {
            let a = of_rows[c][0u][in_band];
            o0_0 += a.x * b0_0;
            o0_0 += a.y * b0_1;
            o0_0 += a.z * b0_2;
            o0_0 += a.w * b0_3;
          }
          {
            let a = of_rows[c][1u][in_band];
            o1_0 += a.x * b0_0;
            o1_0 += a.y * b0_1;
            o1_0 += a.z * b0_2;
            o1_0 += a.w * b0_3;
          }
          {
            let a = of_rows[c][2u][in_band];
            o2_0 += a.x * b0_0;
            o2_0 += a.y * b0_1;
            o2_0 += a.z * b0_2;
            o2_0 += a.w * b0_3;
          }
          {
            let a = of_rows[c][3u][in_band];
            o3_0 += a.x * b0_0;
            o3_0 += a.y * b0_1;
            o3_0 += a.z * b0_2;
            o3_0 += a.w * b0_3;
          }
        }
      }
    }
  }
  if (first + band < 40u && (lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + band) * 16u)) + e16_0) / 4u] = o0_0;
  }
  if (first + band + 8u < 40u && (lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + band + 8u) * 16u)) + e16_0) / 4u] = o1_0;
  }
  if (first + band + 16u < 40u && (lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + band + 16u) * 16u)) + e16_0) / 4u] = o2_0;
  }
  if (first + band + 24u < 40u && (lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + band + 24u) * 16u)) + e16_0) / 4u] = o3_0;
  }
}

// attention_keys: workgroups [(12, 1, 1)], binds read_write, read_write, read, read, read, read_write, read_write, read_write
@group(0) @binding(0) var<storage, read_write> x0: array<f32>;
@group(0) @binding(1) var<storage, read_write> x1: array<f32>;
@group(0) @binding(2) var<storage, read> x2: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> x3: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> x4: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> x5: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> y0: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> y1: array<vec4<f32>>;

fn gc_isnan_v4(x: vec4<f32>) -> vec4<bool> {
  return (bitcast<vec4<u32>>(x) & vec4<u32>(0x7fffffffu)) > vec4<u32>(0x7f800000u);
}

// attention, gradients of keys and values: rows are keys, columns queries
// grid: one workgroup for 32 rows of one batch element, 2 blocks of rows each, those with the most to do first; folded into y.
// It visits the other side in steps of 32 columns. Each of its 8 bands of 8 lanes holds the scores of
// 4 rows, 8 apart, at 4 columns a lane, 8 apart. What is multiplied goes through workgroup memory,
// 8 vectors of each row and column at a time: first the operands of the scores, then weights and what they weigh.
// Neighbours lie in different banks: place p of plane c is p ^ c, of a factor that spreads few planes over eight banks.
var<workgroup> of_rows: array<array<array<vec4<f32>, 8>, 4>, 8>;
var<workgroup> of_columns: array<array<array<vec4<f32>, 8>, 4>, 8>;

fn weight_v4(x: vec4<f32>) -> vec4<f32> {
  return select(exp(x), x, gc_isnan_v4(x));
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let block = group.x + group.y * 12u;
  if (block >= 12u) { return; }
  let batch = block % 6u;
  let first = (block / 6u) * 32u;
  let lane = local % 8u;
  let band = local / 8u;
  let at1 = (batch / 3u);
  let at2 = (batch % 3u);
  let e16_0 = min((lane + 0u) * 4u, 12u);
  var dv0_0 = vec4<f32>();
  var dk0_0 = vec4<f32>();
  var dv1_0 = vec4<f32>();
  var dk1_0 = vec4<f32>();
  var dv2_0 = vec4<f32>();
  var dk2_0 = vec4<f32>();
  var dv3_0 = vec4<f32>();
  var dk3_0 = vec4<f32>();
  let end = 40u;
  for (var next = (max(first, 0u) - 0u) / 4u * 4u; next < end; next += 32u) {  // at most 2 turns
    let column0 = vec4<u32>(next + lane) + vec4<u32>(0u, 8u, 16u, 24u);
    let n0_0 = min(column0.x, 39u);
    let n0_1 = min(column0.y, 39u);
    let n0_2 = min(column0.z, 39u);
    let n0_3 = min(column0.w, 39u);
    let v3 = x0[(((at1 * 120u) + (at2 * 40u)) + n0_0)];
    let v4 = x0[(((at1 * 120u) + (at2 * 40u)) + n0_1)];
    let v5 = x0[(((at1 * 120u) + (at2 * 40u)) + n0_2)];
    let v6 = x0[(((at1 * 120u) + (at2 * 40u)) + n0_3)];
    let lse_0 = vec4<f32>(v3, v4, v5, v6);
    let v7 = x1[(((at1 * 120u) + (at2 * 40u)) + n0_0)];
    let v8 = x1[(((at1 * 120u) + (at2 * 40u)) + n0_1)];
    let v9 = x1[(((at1 * 120u) + (at2 * 40u)) + n0_2)];
    let v10 = x1[(((at1 * 120u) + (at2 * 40u)) + n0_3)];
    let delta_0 = vec4<f32>(v7, v8, v9, v10);
    // Scores: products of vectors of each row and column, some of which come into workgroup memory at a time.
    var s0_0 = vec4<f32>();
    var s1_0 = vec4<f32>();
    var s2_0 = vec4<f32>();
    var s3_0 = vec4<f32>();
    {
      workgroupBarrier();
      let line_r0 = local / 4u; let c_r0 = local % 4u;
      let e_r0 = (c_r0) * 4u;
      let p_r0 = first + line_r0;
      let q_r0 = min(p_r0, 39u);
      let v11 = x2[((((at1 * 1920u) + (at2 * 640u)) + (q_r0 * 16u)) + e_r0) / 4u];
      let line_r1 = (local + 64u) / 4u; let c_r1 = (local + 64u) % 4u;
      let e_r1 = (c_r1) * 4u;
      let p_r1 = first + line_r1;
      let q_r1 = min(p_r1, 39u);
      let v12 = x2[((((at1 * 1920u) + (at2 * 640u)) + (q_r1 * 16u)) + e_r1) / 4u];
      of_rows[c_r0][line_r0 / 8u][(line_r0 % 8u) ^ ((c_r0 * 2u) & 7u)] = select(vec4<f32>(), v11, p_r0 < 40u);
      of_rows[c_r1][line_r1 / 8u][(line_r1 % 8u) ^ ((c_r1 * 2u) & 7u)] = select(vec4<f32>(), v12, p_r1 < 40u);
      let line_c0 = local / 4u; let c_c0 = local % 4u;
      let e_c0 = (c_c0) * 4u;
      let p_c0 = next + line_c0;
      let q_c0 = min(p_c0, 39u);
      let v13 = x3[((((at1 * 1920u) + (at2 * 640u)) + (q_c0 * 16u)) + e_c0) / 4u];
      let line_c1 = (local + 64u) / 4u; let c_c1 = (local + 64u) % 4u;
      let e_c1 = (c_c1) * 4u;
      let p_c1 = next + line_c1;
      let q_c1 = min(p_c1, 39u);
      let v14 = x3[((((at1 * 1920u) + (at2 * 640u)) + (q_c1 * 16u)) + e_c1) / 4u];
      of_columns[c_c0][line_c0 / 8u][(line_c0 % 8u) ^ ((c_c0 * 2u) & 7u)] = select(vec4<f32>(), v13, p_c0 < 40u);
      of_columns[c_c1][line_c1 / 8u][(line_c1 % 8u) ^ ((c_c1 * 2u) & 7u)] = select(vec4<f32>(), v14, p_c1 < 40u);
      workgroupBarrier();
      for (var c = 0u; c < 4u; c += 1u) {
        {
          let in_lane = lane ^ ((c * 2u) & 7u);
          let in_band = band ^ ((c * 2u) & 7u);
          let b0 = of_columns[c][0u][in_lane];
          let b1 = of_columns[c][1u][in_lane];
          let b2 = of_columns[c][2u][in_lane];
          let b3 = of_columns[c][3u][in_lane];
          let c0_0 = vec4<f32>(b0.x, b1.x, b2.x, b3.x);
          let c0_1 = vec4<f32>(b0.y, b1.y, b2.y, b3.y);
          let c0_2 = vec4<f32>(b0.z, b1.z, b2.z, b3.z);
          let c0_3 = vec4<f32>(b0.w, b1.w, b2.w, b3.w);
          {
            let a = of_rows[c][0u][in_band];
            s0_0 += a.x * c0_0;
            s0_0 += a.y * c0_1;
            s0_0 += a.z * c0_2;
            s0_0 += a.w * c0_3;
          }
          {
            let a = of_rows[c][1u][in_band];
            s1_0 += a.x * c0_0;
            s1_0 += a.y * c0_1;
            s1_0 += a.z * c0_2;
            s1_0 += a.w * c0_3;
          }
          {
            let a = of_rows[c][2u][in_band];
            s2_0 += a.x * c0_0;
            s2_0 += a.y * c0_1;
            s2_0 += a.z * c0_2;
            s2_0 += a.w * c0_3;
          }
          {
            let a = of_rows[c][3u][in_band];
            s3_0 += a.x * c0_0;
            s3_0 += a.y * c0_1;
            s3_0 += a.z * c0_2;
            s3_0 += a.w * c0_3;
          }
        }
      }
    }
    var g0_0 = vec4<f32>();
    var g1_0 = vec4<f32>();
    var g2_0 = vec4<f32>();
    var g3_0 = vec4<f32>();
    {
      workgroupBarrier();
      let line_r0 = local / 4u; let c_r0 = local % 4u;
      let e_r0 = (c_r0) * 4u;
      let p_r0 = first + line_r0;
      let q_r0 = min(p_r0, 39u);
      let v15 = x4[((((at1 * 1920u) + (at2 * 640u)) + (q_r0 * 16u)) + e_r0) / 4u];
      let line_r1 = (local + 64u) / 4u; let c_r1 = (local + 64u) % 4u;
      let e_r1 = (c_r1) * 4u;
      let p_r1 = first + line_r1;
      let q_r1 = min(p_r1, 39u);
      let v16 = x4[((((at1 * 1920u) + (at2 * 640u)) + (q_r1 * 16u)) + e_r1) / 4u];
      of_rows[c_r0][line_r0 / 8u][(line_r0 % 8u) ^ ((c_r0 * 2u) & 7u)] = select(vec4<f32>(), v15, p_r0 < 40u);
      of_rows[c_r1][line_r1 / 8u][(line_r1 % 8u) ^ ((c_r1 * 2u) & 7u)] = select(vec4<f32>(), v16, p_r1 < 40u);
      let line_c0 = local / 4u; let c_c0 = local % 4u;
      let e_c0 = (c_c0) * 4u;
      let p_c0 = next + line_c0;
      let q_c0 = min(p_c0, 39u);
      let v17 = x5[((((at1 * 1920u) + (at2 * 640u)) + (q_c0 * 16u)) + e_c0) / 4u];
      let line_c1 = (local + 64u) / 4u; let c_c1 = (local + 64u) % 4u;
      let e_c1 = (c_c1) * 4u;
      let p_c1 = next + line_c1;
      let q_c1 = min(p_c1, 39u);
      let v18 = x5[((((at1 * 1920u) + (at2 * 640u)) + (q_c1 * 16u)) + e_c1) / 4u];
      of_columns[c_c0][line_c0 / 8u][(line_c0 % 8u) ^ ((c_c0 * 2u) & 7u)] = select(vec4<f32>(), v17, p_c0 < 40u);
      of_columns[c_c1][line_c1 / 8u][(line_c1 % 8u) ^ ((c_c1 * 2u) & 7u)] = select(vec4<f32>(), v18, p_c1 < 40u);
      workgroupBarrier();
      for (var c = 0u; c < 4u; c += 1u) {
        {
          let in_lane = lane ^ ((c * 2u) & 7u);
          let in_band = band ^ ((c * 2u) & 7u);
          let b0 = of_columns[c][0u][in_lane];
          let b1 = of_columns[c][1u][in_lane];
          let b2 = of_columns[c][2u][in_lane];
          let b3 = of_columns[c][3u][in_lane];
          let c0_0 = vec4<f32>(b0.x, b1.x, b2.x, b3.x);
          let c0_1 = vec4<f32>(b0.y, b1.y, b2.y, b3.y);
          let c0_2 = vec4<f32>(b0.z, b1.z, b2.z, b3.z);
          let c0_3 = vec4<f32>(b0.w, b1.w, b2.w, b3.w);
          {
            let a = of_rows[c][0u][in_band];
            g0_0 += a.x * c0_0;
            g0_0 += a.y * c0_1;
            g0_0 += a.z * c0_2;
            g0_0 += a.w * c0_3;
          }
          {
            let a = of_rows[c][1u][in_band];
            g1_0 += a.x * c0_0;
            g1_0 += a.y * c0_1;
            g1_0 += a.z * c0_2;
            g1_0 += a.w * c0_3;
          }
          {
            let a = of_rows[c][2u][in_band];
            g2_0 += a.x * c0_0;
            g2_0 += a.y * c0_1;
            g2_0 += a.z * c0_2;
            g2_0 += a.w * c0_3;
          }
          {
            let a = of_rows[c][3u][in_band];
            g3_0 += a.x * c0_0;
            g3_0 += a.y * c0_1;
            g3_0 += a.z * c0_2;
            g3_0 += a.w * c0_3;
          }
        }
      }
    }
    // Weights, from the logarithms of the sums of the forward pass; g: the gradients of the scores.
    s0_0 = select(vec4<f32>(), weight_v4(s0_0 * 0.25f - lse_0), (column0 + 0u >= vec4<u32>(first + band)) & (column0 < vec4<u32>(40u)));
    g0_0 = s0_0 * (g0_0 - delta_0) * 0.25f;
    s1_0 = select(vec4<f32>(), weight_v4(s1_0 * 0.25f - lse_0), (column0 + 0u >= vec4<u32>(first + band + 8u)) & (column0 < vec4<u32>(40u)));
    g1_0 = s1_0 * (g1_0 - delta_0) * 0.25f;
    s2_0 = select(vec4<f32>(), weight_v4(s2_0 * 0.25f - lse_0), (column0 + 0u >= vec4<u32>(first + band + 16u)) & (column0 < vec4<u32>(40u)));
    g2_0 = s2_0 * (g2_0 - delta_0) * 0.25f;
    s3_0 = select(vec4<f32>(), weight_v4(s3_0 * 0.25f - lse_0), (column0 + 0u >= vec4<u32>(first + band + 24u)) & (column0 < vec4<u32>(40u)));
    g3_0 = s3_0 * (g3_0 - delta_0) * 0.25f;
    // Sums of the weighted rows of the other side. A slot is four columns of a lane: some slots at a time have their
    // weights put into workgroup memory, one vector a row, with the rows of their columns.
    for (var w = 0u; w < 8u; w += 8u) {
      workgroupBarrier();
      if (lane - w < 8u) {
        let slot = lane - w;
        let in_band = band ^ (slot & 7u);
        of_rows[slot][0u][in_band] = s0_0;
        of_rows[slot][1u][in_band] = s1_0;
        of_rows[slot][2u][in_band] = s2_0;
        of_rows[slot][3u][in_band] = s3_0;
      }
      let start = next + w;
      let line_v0 = local / 4u; let e_v0 = local % 4u;
      let j_v0 = line_v0 / 8u; let c_v0 = line_v0 % 8u;
      let p_v0 = start + j_v0 * 8u + c_v0;
      let q_v0 = min(p_v0, 39u);
      let v20 = x5[((((at1 * 1920u) + (at2 * 640u)) + (q_v0 * 16u)) + (e_v0 * 4u)) / 4u];
      let line_v1 = (local + 64u) / 4u; let e_v1 = (local + 64u) % 4u;
      let j_v1 = line_v1 / 8u; let c_v1 = line_v1 % 8u;
      let p_v1 = start + j_v1 * 8u + c_v1;
      let q_v1 = min(p_v1, 39u);
      let v21 = x5[((((at1 * 1920u) + (at2 * 640u)) + (q_v1 * 16u)) + (e_v1 * 4u)) / 4u];
      of_columns[c_v0][j_v0][e_v0 % 8u] = select(vec4<f32>(), v20, p_v0 < 40u);
      of_columns[c_v1][j_v1][e_v1 % 8u] = select(vec4<f32>(), v21, p_v1 < 40u);
      workgroupBarrier();
      for (var c = 0u; c < 8u; c += 1u) {
        {
          let in_band = band ^ (c & 7u);
          let b0_0 = of_columns[c][0u][lane];
          let b0_1 = of_columns[c][1u][lane];
          let b0_2 = of_columns[c][2u][lane];
          let b0_3 = of_columns[c][3u][lane];
          {
            let a = of_rows[c][0u][in_band];
            dv0_0 += a.x * b0_0;
            dv0_0 += a.y * b0_1;
            dv0_0 += a.z * b0_2;
            dv0_0 += a.w * b0_3;
          }
          {
            let a = of_rows[c][1u][in_band];
            dv1_0 += a.x * b0_0;
            dv1_0 += a.y * b0_1;
            dv1_0 += a.z * b0_2;
            dv1_0 += a.w * b0_3;
          }
          {
            let a = of_rows[c][2u][in_band];
            dv2_0 += a.x * b0_0;
            dv2_0 += a.y * b0_1;
            dv2_0 += a.z * b0_2;
            dv2_0 += a.w * b0_3;
          }
          {
            let a = of_rows[c][3u][in_band];
            dv3_0 += a.x * b0_0;
            dv3_0 += a.y * b0_1;
            dv3_0 += a.z * b0_2;
            dv3_0 += a.w * b0_3;
          }
        }
      }
    }
    for (var w = 0u; w < 8u; w += 8u) {
      workgroupBarrier();
      if (lane - w < 8u) {
        let slot = lane - w;
        let in_band = band ^ (slot & 7u);
        of_rows[slot][0u][in_band] = g0_0;
        of_rows[slot][1u][in_band] = g1_0;
        of_rows[slot][2u][in_band] = g2_0;
        of_rows[slot][3u][in_band] = g3_0;
      }
      let start = next + w;
      let line_v0 = local / 4u; let e_v0 = local % 4u;
      let j_v0 = line_v0 / 8u; let c_v0 = line_v0 % 8u;
      let p_v0 = start + j_v0 * 8u + c_v0;
      let q_v0 = min(p_v0, 39u);
      let v23 = x3[((((at1 * 1920u) + (at2 * 640u)) + (q_v0 * 16u)) + (e_v0 * 4u)) / 4u];
      let line_v1 = (local + 64u) / 4u; let e_v1 = (local + 64u) % 4u;
      let j_v1 = line_v1 / 8u; let c_v1 = line_v1 % 8u;
      let p_v1 = start + j_v1 * 8u + c_v1;
      let q_v1 = min(p_v1, 39u);
      let v24 = x3[((((at1 * 1920u) + (at2 * 640u)) + (q_v1 * 16u)) + (e_v1 * 4u)) / 4u];
      of_columns[c_v0][j_v0][e_v0 % 8u] = select(vec4<f32>(), v23, p_v0 < 40u);
      of_columns[c_v1][j_v1][e_v1 % 8u] = select(vec4<f32>(), v24, p_v1 < 40u);
      workgroupBarrier();
      for (var c = 0u; c < 8u; c += 1u) {
        {
          let in_band = band ^ (c & 7u);
          let b0_0 = of_columns[c][0u][lane];
          let b0_1 = of_columns[c][1u][lane];
          let b0_2 = of_columns[c][2u][lane];
          let b0_3 = of_columns[c][3u][lane];
          {
            let a = of_rows[c][0u][in_band];
            dk0_0 += a.x * b0_0;
            dk0_0 += a.y * b0_1;
            dk0_0 += a.z * b0_2;
            dk0_0 += a.w * b0_3;
          }
          {
            let a = of_rows[c][1u][in_band];
            dk1_0 += a.x * b0_0;
            dk1_0 += a.y * b0_1;
            dk1_0 += a.z * b0_2;
            dk1_0 += a.w * b0_3;
          }
          {
            let a = of_rows[c][2u][in_band];
            dk2_0 += a.x * b0_0;
            dk2_0 += a.y * b0_1;
            dk2_0 += a.z * b0_2;
            dk2_0 += a.w * b0_3;
          }
          {
            let a = of_rows[c][3u][in_band];
            dk3_0 += a.x * b0_0;
            dk3_0 += a.y * b0_1;
            dk3_0 += a.z * b0_2;
            dk3_0 += a.w * b0_3;
          }
        }
      }
    }
  }
  if (first + band < 40u && (lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + band) * 16u)) + e16_0) / 4u] = dv0_0;
  }
  if (first + band + 8u < 40u && (lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + band + 8u) * 16u)) + e16_0) / 4u] = dv1_0;
  }
  if (first + band + 16u < 40u && (lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + band + 16u) * 16u)) + e16_0) / 4u] = dv2_0;
  }
  if (first + band + 24u < 40u && (lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + band + 24u) * 16u)) + e16_0) / 4u] = dv3_0;
  }
  if (first + band < 40u && (lane + 0u) * 4u < 16u) {
    y1[((((at1 * 1920u) + (at2 * 640u)) + ((first + band) * 16u)) + e16_0) / 4u] = dk0_0;
  }
  if (first + band + 8u < 40u && (lane + 0u) * 4u < 16u) {
    y1[((((at1 * 1920u) + (at2 * 640u)) + ((first + band + 8u) * 16u)) + e16_0) / 4u] = dk1_0;
  }
  if (first + band + 16u < 40u && (lane + 0u) * 4u < 16u) {
    y1[((((at1 * 1920u) + (at2 * 640u)) + ((first + band + 16u) * 16u)) + e16_0) / 4u] = dk2_0;
  }
  if (first + band + 24u < 40u && (lane + 0u) * 4u < 16u) {
    y1[((((at1 * 1920u) + (at2 * 640u)) + ((first + band + 24u) * 16u)) + e16_0) / 4u] = dk3_0;
  }
}
