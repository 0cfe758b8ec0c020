// attention_forward: workgroups [(12, 1, 1)], binds read, read, read, read_write, read_write, needs subgroup
@group(0) @binding(0) var<storage, read> x0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> x1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> x2: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y0: array<f32>;
@group(0) @binding(4) var<storage, read_write> y1: array<vec4<f32>>;

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
// grid: one workgroup (one subgroup) for 20 rows of one batch element, 2 blocks of rows each; folded into y.
// It visits the other side in steps of 32: each lane holds four scores of every row.
fn weight_v4(x: vec4<f32>) -> vec4<f32> {
  return select(exp(x), x, gc_isnan_v4(x));
}

fn highest(x: f32) -> f32 {
  var y = x; y = max(y, subgroupShuffleXor(y, 1u)); y = max(y, subgroupShuffleXor(y, 2u)); y = max(y, subgroupShuffleXor(y, 4u)); return y;
}

fn added(x: f32) -> f32 {
  var y = x; y += subgroupShuffleXor(y, 1u); y += subgroupShuffleXor(y, 2u); y += subgroupShuffleXor(y, 4u); return y;
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let block = group.x + group.y * 12u;
  if (block >= 12u) { return; }
  let batch = block / 2u;
  let first = block % 2u * 20u;
  let four_on = (lane + 4u) % 8u;
  let zero = gc_hold_v4(vec4<f32>());
  let at1 = (batch / 3u);
  let at2 = (batch % 3u);
  let e16_0 = min((lane + 0u) * 4u, 12u);
  let r0 = min(first + lane + 0u, 39u);
  let r1 = min(first + lane + 8u, 39u);
  let r2 = min(first + lane + 16u, 39u);
  var top0 = -1e38;
  var total0 = 0.0;
  var top1 = -1e38;
  var total1 = 0.0;
  var top2 = -1e38;
  var total2 = 0.0;
  var top3 = -1e38;
  var total3 = 0.0;
  var top4 = -1e38;
  var total4 = 0.0;
  var top5 = -1e38;
  var total5 = 0.0;
  var top6 = -1e38;
  var total6 = 0.0;
  var top7 = -1e38;
  var total7 = 0.0;
  var top8 = -1e38;
  var total8 = 0.0;
  var top9 = -1e38;
  var total9 = 0.0;
  var top10 = -1e38;
  var total10 = 0.0;
  var top11 = -1e38;
  var total11 = 0.0;
  var top12 = -1e38;
  var total12 = 0.0;
  var top13 = -1e38;
  var total13 = 0.0;
  var top14 = -1e38;
  var total14 = 0.0;
  var top15 = -1e38;
  var total15 = 0.0;
  var top16 = -1e38;
  var total16 = 0.0;
  var top17 = -1e38;
  var total17 = 0.0;
  var top18 = -1e38;
  var total18 = 0.0;
  var top19 = -1e38;
  var total19 = 0.0;
  var o0_0 = vec4<f32>();
  var o1_0 = vec4<f32>();
  var o2_0 = vec4<f32>();
  var o3_0 = vec4<f32>();
  var o4_0 = vec4<f32>();
  var o5_0 = vec4<f32>();
  var o6_0 = vec4<f32>();
  var o7_0 = vec4<f32>();
  var o8_0 = vec4<f32>();
  var o9_0 = vec4<f32>();
  var o10_0 = vec4<f32>();
  var o11_0 = vec4<f32>();
  var o12_0 = vec4<f32>();
  var o13_0 = vec4<f32>();
  var o14_0 = vec4<f32>();
  var o15_0 = vec4<f32>();
  var o16_0 = vec4<f32>();
  var o17_0 = vec4<f32>();
  var o18_0 = vec4<f32>();
  var o19_0 = vec4<f32>();
  let end = min(first + 20u, 40u);
  for (var next = 0u; next < end; next += 32u) {  // at most 2 turns
    let at = vec4<u32>(next + lane / 4u * 16u + lane % 4u) + vec4<u32>(0u, 4u, 8u, 12u);
    let n0 = min(at.x, 39u);
    let n1 = min(at.y, 39u);
    let n2 = min(at.z, 39u);
    let n3 = min(at.w, 39u);
    // Scores: a row's stay in registers while its terms are added, all columns first, then row by row.
    var s0 = zero;
    var s1 = zero;
    var s2 = zero;
    var s3 = zero;
    var s4 = zero;
    var s5 = zero;
    var s6 = zero;
    var s7 = zero;
    var s8 = zero;
    var s9 = zero;
    var s10 = zero;
    var s11 = zero;
    var s12 = zero;
    var s13 = zero;
    var s14 = zero;
    var s15 = zero;
    var s16 = zero;
    var s17 = zero;
    var s18 = zero;
    var s19 = zero;
    for (var d = 0u; d < 16u; d += 4u) {
      let v4 = x0[((((at1 * 1920u) + (at2 * 640u)) + (r0 * 16u)) + d) / 4u];
      let v5 = x0[((((at1 * 1920u) + (at2 * 640u)) + (r1 * 16u)) + d) / 4u];
      let v6 = x0[((((at1 * 1920u) + (at2 * 640u)) + (r2 * 16u)) + d) / 4u];
      let v7 = x1[((((at1 * 1920u) + (at2 * 640u)) + (n0 * 16u)) + d) / 4u];
      let v8 = x1[((((at1 * 1920u) + (at2 * 640u)) + (n1 * 16u)) + d) / 4u];
      let v9 = x1[((((at1 * 1920u) + (at2 * 640u)) + (n2 * 16u)) + d) / 4u];
      let v10 = x1[((((at1 * 1920u) + (at2 * 640u)) + (n3 * 16u)) + d) / 4u];
      let c0 = vec4<f32>(v7.x, v8.x, v9.x, v10.x);
      let c1 = vec4<f32>(v7.y, v8.y, v9.y, v10.y);
      let c2 = vec4<f32>(v7.z, v8.z, v9.z, v10.z);
      let c3 = vec4<f32>(v7.w, v8.w, v9.w, v10.w);
      s0 += subgroupBroadcast(v4.x, 0u) * c0;
      s0 += subgroupBroadcast(v4.y, 0u) * c1;
      s0 += subgroupBroadcast(v4.z, 0u) * c2;
      s0 += subgroupBroadcast(v4.w, 0u) * c3;
      s1 += subgroupBroadcast(v4.x, 1u) * c0;
      s1 += subgroupBroadcast(v4.y, 1u) * c1;
      s1 += subgroupBroadcast(v4.z, 1u) * c2;
      s1 += subgroupBroadcast(v4.w, 1u) * c3;
      s2 += subgroupBroadcast(v4.x, 2u) * c0;
      s2 += subgroupBroadcast(v4.y, 2u) * c1;
      s2 += subgroupBroadcast(v4.z, 2u) * c2;
      s2 += subgroupBroadcast(v4.w, 2u) * c3;
      s3 += subgroupBroadcast(v4.x, 3u) * c0;
      s3 += subgroupBroadcast(v4.y, 3u) * c1;
      s3 += subgroupBroadcast(v4.z, 3u) * c2;
      s3 += subgroupBroadcast(v4.w, 3u) * c3;
      s4 += subgroupBroadcast(v4.x, 4u) * c0;
      s4 += subgroupBroadcast(v4.y, 4u) * c1;
      s4 += subgroupBroadcast(v4.z, 4u) * c2;
      s4 += subgroupBroadcast(v4.w, 4u) * c3;
      s5 += subgroupBroadcast(v4.x, 5u) * c0;
      s5 += subgroupBroadcast(v4.y, 5u) * c1;
      s5 += subgroupBroadcast(v4.z, 5u) * c2;
      s5 += subgroupBroadcast(v4.w, 5u) * c3;
      s6 += subgroupBroadcast(v4.x, 6u) * c0;
      s6 += subgroupBroadcast(v4.y, 6u) * c1;
      s6 += subgroupBroadcast(v4.z, 6u) * c2;
      s6 += subgroupBroadcast(v4.w, 6u) * c3;
      s7 += subgroupBroadcast(v4.x, 7u) * c0;
      s7 += subgroupBroadcast(v4.y, 7u) * c1;
      s7 += subgroupBroadcast(v4.z, 7u) * c2;
      s7 += subgroupBroadcast(v4.w, 7u) * c3;
      s8 += subgroupBroadcast(v5.x, 0u) * c0;
      s8 += subgroupBroadcast(v5.y, 0u) * c1;
      s8 += subgroupBroadcast(v5.z, 0u) * c2;
      s8 += subgroupBroadcast(v5.w, 0u) * c3;
      s9 += subgroupBroadcast(v5.x, 1u) * c0;
      s9 += subgroupBroadcast(v5.y, 1u) * c1;
      s9 += subgroupBroadcast(v5.z, 1u) * c2;
      s9 += subgroupBroadcast(v5.w, 1u) * c3;
      s10 += subgroupBroadcast(v5.x, 2u) * c0;
      s10 += subgroupBroadcast(v5.y, 2u) * c1;
      s10 += subgroupBroadcast(v5.z, 2u) * c2;
      s10 += subgroupBroadcast(v5.w, 2u) * c3;
      s11 += subgroupBroadcast(v5.x, 3u) * c0;
      s11 += subgroupBroadcast(v5.y, 3u) * c1;
      s11 += subgroupBroadcast(v5.z, 3u) * c2;
      s11 += subgroupBroadcast(v5.w, 3u) * c3;
      s12 += subgroupBroadcast(v5.x, 4u) * c0;
      s12 += subgroupBroadcast(v5.y, 4u) * c1;
      s12 += subgroupBroadcast(v5.z, 4u) * c2;
      s12 += subgroupBroadcast(v5.w, 4u) * c3;
      s13 += subgroupBroadcast(v5.x, 5u) * c0;
      s13 += subgroupBroadcast(v5.y, 5u) * c1;
      s13 += subgroupBroadcast(v5.z, 5u) * c2;
      s13 += subgroupBroadcast(v5.w, 5u) * c3;
      s14 += subgroupBroadcast(v5.x, 6u) * c0;
      s14 += subgroupBroadcast(v5.y, 6u) * c1;
      s14 += subgroupBroadcast(v5.z, 6u) * c2;
      s14 += subgroupBroadcast(v5.w, 6u) * c3;
      s15 += subgroupBroadcast(v5.x, 7u) * c0;
      s15 += subgroupBroadcast(v5.y, 7u) * c1;
      s15 += subgroupBroadcast(v5.z, 7u) * c2;
      s15 += subgroupBroadcast(v5.w, 7u) * c3;
      s16 += subgroupBroadcast(v6.x, 0u) * c0;
      s16 += subgroupBroadcast(v6.y, 0u) * c1;
      s16 += subgroupBroadcast(v6.z, 0u) * c2;
      s16 += subgroupBroadcast(v6.w, 0u) * c3;
      s17 += subgroupBroadcast(v6.x, 1u) * c0;
      s17 += subgroupBroadcast(v6.y, 1u) * c1;
      s17 += subgroupBroadcast(v6.z, 1u) * c2;
      s17 += subgroupBroadcast(v6.w, 1u) * c3;
      s18 += subgroupBroadcast(v6.x, 2u) * c0;
      s18 += subgroupBroadcast(v6.y, 2u) * c1;
      s18 += subgroupBroadcast(v6.z, 2u) * c2;
      s18 += subgroupBroadcast(v6.w, 2u) * c3;
      s19 += subgroupBroadcast(v6.x, 3u) * c0;
      s19 += subgroupBroadcast(v6.y, 3u) * c1;
      s19 += subgroupBroadcast(v6.z, 3u) * c2;
      s19 += subgroupBroadcast(v6.w, 3u) * c3;
    }
    // Weights, by the highest score so far. Where a higher one is found, what was summed before shrinks.
    s0 *= 0.25f;
    let seen0 = at <= vec4<u32>(min(first + 0u, 39u));
    let best0 = select(vec4<f32>(-1e38), s0, seen0);
    {
      let now = max(top0, highest(max(max(best0.x, best0.y), max(best0.z, best0.w))));
      let shrink = exp(top0 - now);
      s0 = select(vec4<f32>(), weight_v4(s0 - now), seen0);
      total0 = total0 * shrink + ((s0.x + s0.y) + (s0.z + s0.w));
      top0 = now;
      o0_0 *= shrink;
    }
    s1 *= 0.25f;
    let seen1 = at <= vec4<u32>(min(first + 1u, 39u));
    let best1 = select(vec4<f32>(-1e38), s1, seen1);
    {
      let now = max(top1, highest(max(max(best1.x, best1.y), max(best1.z, best1.w))));
      let shrink = exp(top1 - now);
      s1 = select(vec4<f32>(), weight_v4(s1 - now), seen1);
      total1 = total1 * shrink + ((s1.x + s1.y) + (s1.z + s1.w));
      top1 = now;
      o1_0 *= shrink;
    }
    s2 *= 0.25f;
    let seen2 = at <= vec4<u32>(min(first + 2u, 39u));
    let best2 = select(vec4<f32>(-1e38), s2, seen2);
    {
      let now = max(top2, highest(max(max(best2.x, best2.y), max(best2.z, best2.w))));
      let shrink = exp(top2 - now);
      s2 = select(vec4<f32>(), weight_v4(s2 - now), seen2);
      total2 = total2 * shrink + ((s2.x + s2.y) + (s2.z + s2.w));
      top2 = now;
      o2_0 *= shrink;
    }
    s3 *= 0.25f;
    let seen3 = at <= vec4<u32>(min(first + 3u, 39u));
    let best3 = select(vec4<f32>(-1e38), s3, seen3);
    {
      let now = max(top3, highest(max(max(best3.x, best3.y), max(best3.z, best3.w))));
      let shrink = exp(top3 - now);
      s3 = select(vec4<f32>(), weight_v4(s3 - now), seen3);
      total3 = total3 * shrink + ((s3.x + s3.y) + (s3.z + s3.w));
      top3 = now;
      o3_0 *= shrink;
    }
    s4 *= 0.25f;
    let seen4 = at <= vec4<u32>(min(first + 4u, 39u));
    let best4 = select(vec4<f32>(-1e38), s4, seen4);
    {
      let now = max(top4, highest(max(max(best4.x, best4.y), max(best4.z, best4.w))));
      let shrink = exp(top4 - now);
      s4 = select(vec4<f32>(), weight_v4(s4 - now), seen4);
      total4 = total4 * shrink + ((s4.x + s4.y) + (s4.z + s4.w));
      top4 = now;
      o4_0 *= shrink;
    }
    s5 *= 0.25f;
    let seen5 = at <= vec4<u32>(min(first + 5u, 39u));
    let best5 = select(vec4<f32>(-1e38), s5, seen5);
    {
      let now = max(top5, highest(max(max(best5.x, best5.y), max(best5.z, best5.w))));
      let shrink = exp(top5 - now);
      s5 = select(vec4<f32>(), weight_v4(s5 - now), seen5);
      total5 = total5 * shrink + ((s5.x + s5.y) + (s5.z + s5.w));
      top5 = now;
      o5_0 *= shrink;
    }
    s6 *= 0.25f;
    let seen6 = at <= vec4<u32>(min(first + 6u, 39u));
    let best6 = select(vec4<f32>(-1e38), s6, seen6);
    {
      let now = max(top6, highest(max(max(best6.x, best6.y), max(best6.z, best6.w))));
      let shrink = exp(top6 - now);
      s6 = select(vec4<f32>(), weight_v4(s6 - now), seen6);
      total6 = total6 * shrink + ((s6.x + s6.y) + (s6.z + s6.w));
      top6 = now;
      o6_0 *= shrink;
    }
    s7 *= 0.25f;
    let seen7 = at <= vec4<u32>(min(first + 7u, 39u));
    let best7 = select(vec4<f32>(-1e38), s7, seen7);
    {
      let now = max(top7, highest(max(max(best7.x, best7.y), max(best7.z, best7.w))));
      let shrink = exp(top7 - now);
      s7 = select(vec4<f32>(), weight_v4(s7 - now), seen7);
      total7 = total7 * shrink + ((s7.x + s7.y) + (s7.z + s7.w));
      top7 = now;
      o7_0 *= shrink;
    }
    s8 *= 0.25f;
    let seen8 = at <= vec4<u32>(min(first + 8u, 39u));
    let best8 = select(vec4<f32>(-1e38), s8, seen8);
    {
      let now = max(top8, highest(max(max(best8.x, best8.y), max(best8.z, best8.w))));
      let shrink = exp(top8 - now);
      s8 = select(vec4<f32>(), weight_v4(s8 - now), seen8);
      total8 = total8 * shrink + ((s8.x + s8.y) + (s8.z + s8.w));
      top8 = now;
      o8_0 *= shrink;
    }
    s9 *= 0.25f;
    let seen9 = at <= vec4<u32>(min(first + 9u, 39u));
    let best9 = select(vec4<f32>(-1e38), s9, seen9);
    {
      let now = max(top9, highest(max(max(best9.x, best9.y), max(best9.z, best9.w))));
      let shrink = exp(top9 - now);
      s9 = select(vec4<f32>(), weight_v4(s9 - now), seen9);
      total9 = total9 * shrink + ((s9.x + s9.y) + (s9.z + s9.w));
      top9 = now;
      o9_0 *= shrink;
    }
    s10 *= 0.25f;
    let seen10 = at <= vec4<u32>(min(first + 10u, 39u));
    let best10 = select(vec4<f32>(-1e38), s10, seen10);
    {
      let now = max(top10, highest(max(max(best10.x, best10.y), max(best10.z, best10.w))));
      let shrink = exp(top10 - now);
      s10 = select(vec4<f32>(), weight_v4(s10 - now), seen10);
      total10 = total10 * shrink + ((s10.x + s10.y) + (s10.z + s10.w));
      top10 = now;
      o10_0 *= shrink;
    }
    s11 *= 0.25f;
    let seen11 = at <= vec4<u32>(min(first + 11u, 39u));
    let best11 = select(vec4<f32>(-1e38), s11, seen11);
    {
      let now = max(top11, highest(max(max(best11.x, best11.y), max(best11.z, best11.w))));
      let shrink = exp(top11 - now);
      s11 = select(vec4<f32>(), weight_v4(s11 - now), seen11);
      total11 = total11 * shrink + ((s11.x + s11.y) + (s11.z + s11.w));
      top11 = now;
      o11_0 *= shrink;
    }
    s12 *= 0.25f;
    let seen12 = at <= vec4<u32>(min(first + 12u, 39u));
    let best12 = select(vec4<f32>(-1e38), s12, seen12);
    {
      let now = max(top12, highest(max(max(best12.x, best12.y), max(best12.z, best12.w))));
      let shrink = exp(top12 - now);
      s12 = select(vec4<f32>(), weight_v4(s12 - now), seen12);
      total12 = total12 * shrink + ((s12.x + s12.y) + (s12.z + s12.w));
      top12 = now;
      o12_0 *= shrink;
    }
    s13 *= 0.25f;
    let seen13 = at <= vec4<u32>(min(first + 13u, 39u));
    let best13 = select(vec4<f32>(-1e38), s13, seen13);
    {
      let now = max(top13, highest(max(max(best13.x, best13.y), max(best13.z, best13.w))));
      let shrink = exp(top13 - now);
      s13 = select(vec4<f32>(), weight_v4(s13 - now), seen13);
      total13 = total13 * shrink + ((s13.x + s13.y) + (s13.z + s13.w));
      top13 = now;
      o13_0 *= shrink;
    }
    s14 *= 0.25f;
    let seen14 = at <= vec4<u32>(min(first + 14u, 39u));
    let best14 = select(vec4<f32>(-1e38), s14, seen14);
    {
      let now = max(top14, highest(max(max(best14.x, best14.y), max(best14.z, best14.w))));
      let shrink = exp(top14 - now);
      s14 = select(vec4<f32>(), weight_v4(s14 - now), seen14);
      total14 = total14 * shrink + ((s14.x + s14.y) + (s14.z + s14.w));
      top14 = now;
      o14_0 *= shrink;
    }
    s15 *= 0.25f;
    let seen15 = at <= vec4<u32>(min(first + 15u, 39u));
    let best15 = select(vec4<f32>(-1e38), s15, seen15);
    {
      let now = max(top15, highest(max(max(best15.x, best15.y), max(best15.z, best15.w))));
      let shrink = exp(top15 - now);
      s15 = select(vec4<f32>(), weight_v4(s15 - now), seen15);
      total15 = total15 * shrink + ((s15.x + s15.y) + (s15.z + s15.w));
      top15 = now;
      o15_0 *= shrink;
    }
    s16 *= 0.25f;
    let seen16 = at <= vec4<u32>(min(first + 16u, 39u));
    let best16 = select(vec4<f32>(-1e38), s16, seen16);
    {
      let now = max(top16, highest(max(max(best16.x, best16.y), max(best16.z, best16.w))));
      let shrink = exp(top16 - now);
      s16 = select(vec4<f32>(), weight_v4(s16 - now), seen16);
      total16 = total16 * shrink + ((s16.x + s16.y) + (s16.z + s16.w));
      top16 = now;
      o16_0 *= shrink;
    }
    s17 *= 0.25f;
    let seen17 = at <= vec4<u32>(min(first + 17u, 39u));
    let best17 = select(vec4<f32>(-1e38), s17, seen17);
    {
      let now = max(top17, highest(max(max(best17.x, best17.y), max(best17.z, best17.w))));
      let shrink = exp(top17 - now);
      s17 = select(vec4<f32>(), weight_v4(s17 - now), seen17);
      total17 = total17 * shrink + ((s17.x + s17.y) + (s17.z + s17.w));
      top17 = now;
      o17_0 *= shrink;
    }
    s18 *= 0.25f;
    let seen18 = at <= vec4<u32>(min(first + 18u, 39u));
    let best18 = select(vec4<f32>(-1e38), s18, seen18);
    {
      let now = max(top18, highest(max(max(best18.x, best18.y), max(best18.z, best18.w))));
      let shrink = exp(top18 - now);
      s18 = select(vec4<f32>(), weight_v4(s18 - now), seen18);
      total18 = total18 * shrink + ((s18.x + s18.y) + (s18.z + s18.w));
      top18 = now;
      o18_0 *= shrink;
    }
    s19 *= 0.25f;
    let seen19 = at <= vec4<u32>(min(first + 19u, 39u));
    let best19 = select(vec4<f32>(-1e38), s19, seen19);
    {
      let now = max(top19, highest(max(max(best19.x, best19.y), max(best19.z, best19.w))));
      let shrink = exp(top19 - now);
      s19 = select(vec4<f32>(), weight_v4(s19 - now), seen19);
      total19 = total19 * shrink + ((s19.x + s19.y) + (s19.z + s19.w));
      top19 = now;
      o19_0 *= shrink;
    }
    // Sums of the weighted rows of the other side: four columns at a time, those in the x of the first four lanes.
    // Then the weights move on: y, z and w to x, and after these the x of the next four lanes, so that the code is short.
    for (var j = next; j < min(end, next + 32u); j += 4u) {  // at most 8 turns
      let m0 = min(j + 0u, 39u);
      let m1 = min(j + 1u, 39u);
      let m2 = min(j + 2u, 39u);
      let m3 = min(j + 3u, 39u);
      let v12 = x2[((((at1 * 1920u) + (at2 * 640u)) + (m0 * 16u)) + e16_0) / 4u];
      let v13 = x2[((((at1 * 1920u) + (at2 * 640u)) + (m1 * 16u)) + e16_0) / 4u];
      let v14 = x2[((((at1 * 1920u) + (at2 * 640u)) + (m2 * 16u)) + e16_0) / 4u];
      let v15 = x2[((((at1 * 1920u) + (at2 * 640u)) + (m3 * 16u)) + e16_0) / 4u];
      {
        let x0 = subgroupBroadcast(s0.x, 0u);
        let x1 = subgroupBroadcast(s0.x, 1u);
        let x2 = subgroupBroadcast(s0.x, 2u);
        let x3 = subgroupBroadcast(s0.x, 3u);
        o0_0 += (x0 * v12 + (x1 * v13)) + (x2 * v14 + (x3 * v15));
      }
      {
        let x0 = subgroupBroadcast(s1.x, 0u);
        let x1 = subgroupBroadcast(s1.x, 1u);
        let x2 = subgroupBroadcast(s1.x, 2u);
        let x3 = subgroupBroadcast(s1.x, 3u);
        o1_0 += (x0 * v12 + (x1 * v13)) + (x2 * v14 + (x3 * v15));
      }
      {
        let x0 = subgroupBroadcast(s2.x, 0u);
        let x1 = subgroupBroadcast(s2.x, 1u);
        let x2 = subgroupBroadcast(s2.x, 2u);
        let x3 = subgroupBroadcast(s2.x, 3u);
        o2_0 += (x0 * v12 + (x1 * v13)) + (x2 * v14 + (x3 * v15));
      }
      {
        let x0 = subgroupBroadcast(s3.x, 0u);
        let x1 = subgroupBroadcast(s3.x, 1u);
        let x2 = subgroupBroadcast(s3.x, 2u);
        let x3 = subgroupBroadcast(s3.x, 3u);
        o3_0 += (x0 * v12 + (x1 * v13)) + (x2 * v14 + (x3 * v15));
      }
      {
        let x0 = subgroupBroadcast(s4.x, 0u);
        let x1 = subgroupBroadcast(s4.x, 1u);
        let x2 = subgroupBroadcast(s4.x, 2u);
        let x3 = subgroupBroadcast(s4.x, 3u);
        o4_0 += (x0 * v12 + (x1 * v13)) + (x2 * v14 + (x3 * v15));
      }
      {
        let x0 = subgroupBroadcast(s5.x, 0u);
        let x1 = subgroupBroadcast(s5.x, 1u);
        let x2 = subgroupBroadcast(s5.x, 2u);
        let x3 = subgroupBroadcast(s5.x, 3u);
        o5_0 += (x0 * v12 + (x1 * v13)) + (x2 * v14 + (x3 * v15));
      }
      {
        let x0 = subgroupBroadcast(s6.x, 0u);
        let x1 = subgroupBroadcast(s6.x, 1u);
        let x2 = subgroupBroadcast(s6.x, 2u);
        let x3 = subgroupBroadcast(s6.x, 3u);
        o6_0 += (x0 * v12 + (x1 * v13)) + (x2 * v14 + (x3 * v15));
      }
      {
        let x0 = subgroupBroadcast(s7.x, 0u);
        let x1 = subgroupBroadcast(s7.x, 1u);
        let x2 = subgroupBroadcast(s7.x, 2u);
        let x3 = subgroupBroadcast(s7.x, 3u);
        o7_0 += (x0 * v12 + (x1 * v13)) + (x2 * v14 + (x3 * v15));
      }
      {
        let x0 = subgroupBroadcast(s8.x, 0u);
        let x1 = subgroupBroadcast(s8.x, 1u);
        let x2 = subgroupBroadcast(s8.x, 2u);
        let x3 = subgroupBroadcast(s8.x, 3u);
        o8_0 += (x0 * v12 + (x1 * v13)) + (x2 * v14 + (x3 * v15));
      }
      {
        let x0 = subgroupBroadcast(s9.x, 0u);
        let x1 = subgroupBroadcast(s9.x, 1u);
        let x2 = subgroupBroadcast(s9.x, 2u);
        let x3 = subgroupBroadcast(s9.x, 3u);
        o9_0 += (x0 * v12 + (x1 * v13)) + (x2 * v14 + (x3 * v15));
      }
      {
        let x0 = subgroupBroadcast(s10.x, 0u);
        let x1 = subgroupBroadcast(s10.x, 1u);
        let x2 = subgroupBroadcast(s10.x, 2u);
        let x3 = subgroupBroadcast(s10.x, 3u);
        o10_0 += (x0 * v12 + (x1 * v13)) + (x2 * v14 + (x3 * v15));
      }
      {
        let x0 = subgroupBroadcast(s11.x, 0u);
        let x1 = subgroupBroadcast(s11.x, 1u);
        let x2 = subgroupBroadcast(s11.x, 2u);
        let x3 = subgroupBroadcast(s11.x, 3u);
        o11_0 += (x0 * v12 + (x1 * v13)) + (x2 * v14 + (x3 * v15));
      }
      {
        let x0 = subgroupBroadcast(s12.x, 0u);
        let x1 = subgroupBroadcast(s12.x, 1u);
        let x2 = subgroupBroadcast(s12.x, 2u);
        let x3 = subgroupBroadcast(s12.x, 3u);
        o12_0 += (x0 * v12 + (x1 * v13)) + (x2 * v14 + (x3 * v15));
      }
      {
        let x0 = subgroupBroadcast(s13.x, 0u);
        let x1 = subgroupBroadcast(s13.x, 1u);
        let x2 = subgroupBroadcast(s13.x, 2u);
        let x3 = subgroupBroadcast(s13.x, 3u);
        o13_0 += (x0 * v12 + (x1 * v13)) + (x2 * v14 + (x3 * v15));
      }
      {
        let x0 = subgroupBroadcast(s14.x, 0u);
        let x1 = subgroupBroadcast(s14.x, 1u);
        let x2 = subgroupBroadcast(s14.x, 2u);
        let x3 = subgroupBroadcast(s14.x, 3u);
        o14_0 += (x0 * v12 + (x1 * v13)) + (x2 * v14 + (x3 * v15));
      }
      {
        let x0 = subgroupBroadcast(s15.x, 0u);
        let x1 = subgroupBroadcast(s15.x, 1u);
        let x2 = subgroupBroadcast(s15.x, 2u);
        let x3 = subgroupBroadcast(s15.x, 3u);
        o15_0 += (x0 * v12 + (x1 * v13)) + (x2 * v14 + (x3 * v15));
      }
      {
        let x0 = subgroupBroadcast(s16.x, 0u);
        let x1 = subgroupBroadcast(s16.x, 1u);
        let x2 = subgroupBroadcast(s16.x, 2u);
        let x3 = subgroupBroadcast(s16.x, 3u);
        o16_0 += (x0 * v12 + (x1 * v13)) + (x2 * v14 + (x3 * v15));
      }
      {
        let x0 = subgroupBroadcast(s17.x, 0u);
        let x1 = subgroupBroadcast(s17.x, 1u);
        let x2 = subgroupBroadcast(s17.x, 2u);
        let x3 = subgroupBroadcast(s17.x, 3u);
        o17_0 += (x0 * v12 + (x1 * v13)) + (x2 * v14 + (x3 * v15));
      }
      {
        let x0 = subgroupBroadcast(s18.x, 0u);
        let x1 = subgroupBroadcast(s18.x, 1u);
        let x2 = subgroupBroadcast(s18.x, 2u);
        let x3 = subgroupBroadcast(s18.x, 3u);
        o18_0 += (x0 * v12 + (x1 * v13)) + (x2 * v14 + (x3 * v15));
      }
      {
        let x0 = subgroupBroadcast(s19.x, 0u);
        let x1 = subgroupBroadcast(s19.x, 1u);
        let x2 = subgroupBroadcast(s19.x, 2u);
        let x3 = subgroupBroadcast(s19.x, 3u);
        o19_0 += (x0 * v12 + (x1 * v13)) + (x2 * v14 + (x3 * v15));
      }
      s0 = vec4<f32>(s0.yzw, subgroupShuffle(s0.x, four_on));
      s1 = vec4<f32>(s1.yzw, subgroupShuffle(s1.x, four_on));
      s2 = vec4<f32>(s2.yzw, subgroupShuffle(s2.x, four_on));
      s3 = vec4<f32>(s3.yzw, subgroupShuffle(s3.x, four_on));
      s4 = vec4<f32>(s4.yzw, subgroupShuffle(s4.x, four_on));
      s5 = vec4<f32>(s5.yzw, subgroupShuffle(s5.x, four_on));
      s6 = vec4<f32>(s6.yzw, subgroupShuffle(s6.x, four_on));
      s7 = vec4<f32>(s7.yzw, subgroupShuffle(s7.x, four_on));
      s8 = vec4<f32>(s8.yzw, subgroupShuffle(s8.x, four_on));
      s9 = vec4<f32>(s9.yzw, subgroupShuffle(s9.x, four_on));
      s10 = vec4<f32>(s10.yzw, subgroupShuffle(s10.x, four_on));
      s11 = vec4<f32>(s11.yzw, subgroupShuffle(s11.x, four_on));
      s12 = vec4<f32>(s12.yzw, subgroupShuffle(s12.x, four_on));
      s13 = vec4<f32>(s13.yzw, subgroupShuffle(s13.x, four_on));
      s14 = vec4<f32>(s14.yzw, subgroupShuffle(s14.x, four_on));
      s15 = vec4<f32>(s15.yzw, subgroupShuffle(s15.x, four_on));
      s16 = vec4<f32>(s16.yzw, subgroupShuffle(s16.x, four_on));
      s17 = vec4<f32>(s17.yzw, subgroupShuffle(s17.x, four_on));
      s18 = vec4<f32>(s18.yzw, subgroupShuffle(s18.x, four_on));
      s19 = vec4<f32>(s19.yzw, subgroupShuffle(s19.x, four_on));
    }
  }
  let sum0 = added(total0);
  let sum1 = added(total1);
  let sum2 = added(total2);
  let sum3 = added(total3);
  let sum4 = added(total4);
  let sum5 = added(total5);
  let sum6 = added(total6);
  let sum7 = added(total7);
  let sum8 = added(total8);
  let sum9 = added(total9);
  let sum10 = added(total10);
  let sum11 = added(total11);
  let sum12 = added(total12);
  let sum13 = added(total13);
  let sum14 = added(total14);
  let sum15 = added(total15);
  let sum16 = added(total16);
  let sum17 = added(total17);
  let sum18 = added(total18);
  let sum19 = added(total19);
   {
    var top = top0; var sum = sum0;
    top = select(top, top1, lane == 1u); sum = select(sum, sum1, lane == 1u);
    top = select(top, top2, lane == 2u); sum = select(sum, sum2, lane == 2u);
    top = select(top, top3, lane == 3u); sum = select(sum, sum3, lane == 3u);
    top = select(top, top4, lane == 4u); sum = select(sum, sum4, lane == 4u);
    top = select(top, top5, lane == 5u); sum = select(sum, sum5, lane == 5u);
    top = select(top, top6, lane == 6u); sum = select(sum, sum6, lane == 6u);
    top = select(top, top7, lane == 7u); sum = select(sum, sum7, lane == 7u);
    let found = top + gc_log(sum);
    if (first + lane + 0u < 40u) {
      y0[(((at1 * 120u) + (at2 * 40u)) + (first + lane + 0u))] = found;
    }
  }
   {
    var top = top8; var sum = sum8;
    top = select(top, top9, lane == 1u); sum = select(sum, sum9, lane == 1u);
    top = select(top, top10, lane == 2u); sum = select(sum, sum10, lane == 2u);
    top = select(top, top11, lane == 3u); sum = select(sum, sum11, lane == 3u);
    top = select(top, top12, lane == 4u); sum = select(sum, sum12, lane == 4u);
    top = select(top, top13, lane == 5u); sum = select(sum, sum13, lane == 5u);
    top = select(top, top14, lane == 6u); sum = select(sum, sum14, lane == 6u);
    top = select(top, top15, lane == 7u); sum = select(sum, sum15, lane == 7u);
    let found = top + gc_log(sum);
    if (first + lane + 8u < 40u) {
      y0[(((at1 * 120u) + (at2 * 40u)) + (first + lane + 8u))] = found;
    }
  }
   {
    var top = top16; var sum = sum16;
    top = select(top, top17, lane == 1u); sum = select(sum, sum17, lane == 1u);
    top = select(top, top18, lane == 2u); sum = select(sum, sum18, lane == 2u);
    top = select(top, top19, lane == 3u); sum = select(sum, sum19, lane == 3u);
    let found = top + gc_log(sum);
    if (first + lane + 16u < 40u && lane < 4u) {
      y0[(((at1 * 120u) + (at2 * 40u)) + (first + lane + 16u))] = found;
    }
  }
  let part0 = 1.0 / sum0;
  let part1 = 1.0 / sum1;
  let part2 = 1.0 / sum2;
  let part3 = 1.0 / sum3;
  let part4 = 1.0 / sum4;
  let part5 = 1.0 / sum5;
  let part6 = 1.0 / sum6;
  let part7 = 1.0 / sum7;
  let part8 = 1.0 / sum8;
  let part9 = 1.0 / sum9;
  let part10 = 1.0 / sum10;
  let part11 = 1.0 / sum11;
  let part12 = 1.0 / sum12;
  let part13 = 1.0 / sum13;
  let part14 = 1.0 / sum14;
  let part15 = 1.0 / sum15;
  let part16 = 1.0 / sum16;
  let part17 = 1.0 / sum17;
  let part18 = 1.0 / sum18;
  let part19 = 1.0 / sum19;
  if ((lane + 0u) * 4u < 16u) {
    y1[((((at1 * 1920u) + (at2 * 640u)) + ((first + 0u) * 16u)) + e16_0) / 4u] = o0_0 * part0;
  }
  if ((lane + 0u) * 4u < 16u) {
    y1[((((at1 * 1920u) + (at2 * 640u)) + ((first + 1u) * 16u)) + e16_0) / 4u] = o1_0 * part1;
  }
  if ((lane + 0u) * 4u < 16u) {
    y1[((((at1 * 1920u) + (at2 * 640u)) + ((first + 2u) * 16u)) + e16_0) / 4u] = o2_0 * part2;
  }
  if ((lane + 0u) * 4u < 16u) {
    y1[((((at1 * 1920u) + (at2 * 640u)) + ((first + 3u) * 16u)) + e16_0) / 4u] = o3_0 * part3;
  }
  if ((lane + 0u) * 4u < 16u) {
    y1[((((at1 * 1920u) + (at2 * 640u)) + ((first + 4u) * 16u)) + e16_0) / 4u] = o4_0 * part4;
  }
  if ((lane + 0u) * 4u < 16u) {
    y1[((((at1 * 1920u) + (at2 * 640u)) + ((first + 5u) * 16u)) + e16_0) / 4u] = o5_0 * part5;
  }
  if ((lane + 0u) * 4u < 16u) {
    y1[((((at1 * 1920u) + (at2 * 640u)) + ((first + 6u) * 16u)) + e16_0) / 4u] = o6_0 * part6;
  }
  if ((lane + 0u) * 4u < 16u) {
    y1[((((at1 * 1920u) + (at2 * 640u)) + ((first + 7u) * 16u)) + e16_0) / 4u] = o7_0 * part7;
  }
  if ((lane + 0u) * 4u < 16u) {
    y1[((((at1 * 1920u) + (at2 * 640u)) + ((first + 8u) * 16u)) + e16_0) / 4u] = o8_0 * part8;
  }
  if ((lane + 0u) * 4u < 16u) {
    y1[((((at1 * 1920u) + (at2 * 640u)) + ((first + 9u) * 16u)) + e16_0) / 4u] = o9_0 * part9;
  }
  if ((lane + 0u) * 4u < 16u) {
    y1[((((at1 * 1920u) + (at2 * 640u)) + ((first + 10u) * 16u)) + e16_0) / 4u] = o10_0 * part10;
  }
  if ((lane + 0u) * 4u < 16u) {
    y1[((((at1 * 1920u) + (at2 * 640u)) + ((first + 11u) * 16u)) + e16_0) / 4u] = o11_0 * part11;
  }
  if ((lane + 0u) * 4u < 16u) {
    y1[((((at1 * 1920u) + (at2 * 640u)) + ((first + 12u) * 16u)) + e16_0) / 4u] = o12_0 * part12;
  }
  if ((lane + 0u) * 4u < 16u) {
    y1[((((at1 * 1920u) + (at2 * 640u)) + ((first + 13u) * 16u)) + e16_0) / 4u] = o13_0 * part13;
  }
  if ((lane + 0u) * 4u < 16u) {
    y1[((((at1 * 1920u) + (at2 * 640u)) + ((first + 14u) * 16u)) + e16_0) / 4u] = o14_0 * part14;
  }
  if ((lane + 0u) * 4u < 16u) {
    y1[((((at1 * 1920u) + (at2 * 640u)) + ((first + 15u) * 16u)) + e16_0) / 4u] = o15_0 * part15;
  }
  if ((lane + 0u) * 4u < 16u) {
    y1[((((at1 * 1920u) + (at2 * 640u)) + ((first + 16u) * 16u)) + e16_0) / 4u] = o16_0 * part16;
  }
  if ((lane + 0u) * 4u < 16u) {
    y1[((((at1 * 1920u) + (at2 * 640u)) + ((first + 17u) * 16u)) + e16_0) / 4u] = o17_0 * part17;
  }
  if ((lane + 0u) * 4u < 16u) {
    y1[((((at1 * 1920u) + (at2 * 640u)) + ((first + 18u) * 16u)) + e16_0) / 4u] = o18_0 * part18;
  }
  if ((lane + 0u) * 4u < 16u) {
    y1[((((at1 * 1920u) + (at2 * 640u)) + ((first + 19u) * 16u)) + e16_0) / 4u] = o19_0 * part19;
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

// attention_queries: workgroups [(12, 1, 1)], binds read_write, read_write, read, read, read_write, read, read_write, needs subgroup
@group(0) @binding(0) var<storage, read_write> x0: array<f32>;
@group(0) @binding(1) var<storage, read_write> x1: array<f32>;
@group(0) @binding(2) var<storage, read> x2: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> x3: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> x4: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> x5: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> y0: array<vec4<f32>>;

fn gc_unknown() -> u32 {
  return select(0u, 1u, arrayLength(&x0) == 0u);
}
fn gc_hold_v4(x: vec4<f32>) -> vec4<f32> {
  return bitcast<vec4<f32>>(bitcast<vec4<u32>>(x) + vec4<u32>(gc_unknown()));
}
fn gc_isnan_v4(x: vec4<f32>) -> vec4<bool> {
  return (bitcast<vec4<u32>>(x) & vec4<u32>(0x7fffffffu)) > vec4<u32>(0x7f800000u);
}

// attention, gradient of the queries: rows are queries, columns keys
// grid: one workgroup (one subgroup) for 20 rows of one batch element, 2 blocks of rows each; folded into y.
// It visits the other side in steps of 32: each lane holds four scores of every row.
fn weight_v4(x: vec4<f32>) -> vec4<f32> {
  return select(exp(x), x, gc_isnan_v4(x));
}

fn highest(x: f32) -> f32 {
  var y = x; y = max(y, subgroupShuffleXor(y, 1u)); y = max(y, subgroupShuffleXor(y, 2u)); y = max(y, subgroupShuffleXor(y, 4u)); return y;
}

fn added(x: f32) -> f32 {
  var y = x; y += subgroupShuffleXor(y, 1u); y += subgroupShuffleXor(y, 2u); y += subgroupShuffleXor(y, 4u); return y;
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let block = group.x + group.y * 12u;
  if (block >= 12u) { return; }
  let batch = block / 2u;
  let first = block % 2u * 20u;
  let four_on = (lane + 4u) % 8u;
  let zero = gc_hold_v4(vec4<f32>());
  let at1 = (batch / 3u);
  let at2 = (batch % 3u);
  let e16_0 = min((lane + 0u) * 4u, 12u);
  let r0 = min(first + lane + 0u, 39u);
  let r1 = min(first + lane + 8u, 39u);
  let r2 = min(first + lane + 16u, 39u);
  let v3 = x0[(((at1 * 120u) + (at2 * 40u)) + r0)];
  let v4 = x0[(((at1 * 120u) + (at2 * 40u)) + r1)];
  let v5 = x0[(((at1 * 120u) + (at2 * 40u)) + r2)];
  let v6 = x1[(((at1 * 120u) + (at2 * 40u)) + r0)];
  let v7 = x1[(((at1 * 120u) + (at2 * 40u)) + r1)];
  let v8 = x1[(((at1 * 120u) + (at2 * 40u)) + r2)];
  var o0_0 = vec4<f32>();
  var o1_0 = vec4<f32>();
  var o2_0 = vec4<f32>();
  var o3_0 = vec4<f32>();
  var o4_0 = vec4<f32>();
  var o5_0 = vec4<f32>();
  var o6_0 = vec4<f32>();
  var o7_0 = vec4<f32>();
  var o8_0 = vec4<f32>();
  var o9_0 = vec4<f32>();
  var o10_0 = vec4<f32>();
  var o11_0 = vec4<f32>();
  var o12_0 = vec4<f32>();
  var o13_0 = vec4<f32>();
  var o14_0 = vec4<f32>();
  var o15_0 = vec4<f32>();
  var o16_0 = vec4<f32>();
  var o17_0 = vec4<f32>();
  var o18_0 = vec4<f32>();
  var o19_0 = vec4<f32>();
  let end = min(first + 20u, 40u);
  for (var next = 0u; next < end; next += 32u) {  // at most 2 turns
    let at = vec4<u32>(next + lane / 4u * 16u + lane % 4u) + vec4<u32>(0u, 4u, 8u, 12u);
    let n0 = min(at.x, 39u);
    let n1 = min(at.y, 39u);
    let n2 = min(at.z, 39u);
    let n3 = min(at.w, 39u);
    // Scores: a row's stay in registers while its terms are added, all columns first, then row by row.
    var s0 = zero;
    var s1 = zero;
    var s2 = zero;
    var s3 = zero;
    var s4 = zero;
    var s5 = zero;
    var s6 = zero;
    var s7 = zero;
    var s8 = zero;
    var s9 = zero;
    var s10 = zero;
    var s11 = zero;
    var s12 = zero;
    var s13 = zero;
    var s14 = zero;
    var s15 = zero;
    var s16 = zero;
    var s17 = zero;
    var s18 = zero;
    var s19 = zero;
    for (var d = 0u; d < 16u; d += 4u) {
      let v10 = x2[((((at1 * 1920u) + (at2 * 640u)) + (r0 * 16u)) + d) / 4u];
      let v11 = x2[((((at1 * 1920u) + (at2 * 640u)) + (r1 * 16u)) + d) / 4u];
      let v12 = x2[((((at1 * 1920u) + (at2 * 640u)) + (r2 * 16u)) + d) / 4u];
      let v13 = x3[((((at1 * 1920u) + (at2 * 640u)) + (n0 * 16u)) + d) / 4u];
      let v14 = x3[((((at1 * 1920u) + (at2 * 640u)) + (n1 * 16u)) + d) / 4u];
      let v15 = x3[((((at1 * 1920u) + (at2 * 640u)) + (n2 * 16u)) + d) / 4u];
      let v16 = x3[((((at1 * 1920u) + (at2 * 640u)) + (n3 * 16u)) + d) / 4u];
      let c0 = vec4<f32>(v13.x, v14.x, v15.x, v16.x);
      let c1 = vec4<f32>(v13.y, v14.y, v15.y, v16.y);
      let c2 = vec4<f32>(v13.z, v14.z, v15.z, v16.z);
      let c3 = vec4<f32>(v13.w, v14.w, v15.w, v16.w);
      s0 += subgroupBroadcast(v10.x, 0u) * c0;
      s0 += subgroupBroadcast(v10.y, 0u) * c1;
      s0 += subgroupBroadcast(v10.z, 0u) * c2;
      s0 += subgroupBroadcast(v10.w, 0u) * c3;
      s1 += subgroupBroadcast(v10.x, 1u) * c0;
      s1 += subgroupBroadcast(v10.y, 1u) * c1;
      s1 += subgroupBroadcast(v10.z, 1u) * c2;
      s1 += subgroupBroadcast(v10.w, 1u) * c3;
      s2 += subgroupBroadcast(v10.x, 2u) * c0;
      s2 += subgroupBroadcast(v10.y, 2u) * c1;
      s2 += subgroupBroadcast(v10.z, 2u) * c2;
      s2 += subgroupBroadcast(v10.w, 2u) * c3;
      s3 += subgroupBroadcast(v10.x, 3u) * c0;
      s3 += subgroupBroadcast(v10.y, 3u) * c1;
      s3 += subgroupBroadcast(v10.z, 3u) * c2;
      s3 += subgroupBroadcast(v10.w, 3u) * c3;
      s4 += subgroupBroadcast(v10.x, 4u) * c0;
      s4 += subgroupBroadcast(v10.y, 4u) * c1;
      s4 += subgroupBroadcast(v10.z, 4u) * c2;
      s4 += subgroupBroadcast(v10.w, 4u) * c3;
      s5 += subgroupBroadcast(v10.x, 5u) * c0;
      s5 += subgroupBroadcast(v10.y, 5u) * c1;
      s5 += subgroupBroadcast(v10.z, 5u) * c2;
      s5 += subgroupBroadcast(v10.w, 5u) * c3;
      s6 += subgroupBroadcast(v10.x, 6u) * c0;
      s6 += subgroupBroadcast(v10.y, 6u) * c1;
      s6 += subgroupBroadcast(v10.z, 6u) * c2;
      s6 += subgroupBroadcast(v10.w, 6u) * c3;
      s7 += subgroupBroadcast(v10.x, 7u) * c0;
      s7 += subgroupBroadcast(v10.y, 7u) * c1;
      s7 += subgroupBroadcast(v10.z, 7u) * c2;
      s7 += subgroupBroadcast(v10.w, 7u) * c3;
      s8 += subgroupBroadcast(v11.x, 0u) * c0;
      s8 += subgroupBroadcast(v11.y, 0u) * c1;
      s8 += subgroupBroadcast(v11.z, 0u) * c2;
      s8 += subgroupBroadcast(v11.w, 0u) * c3;
      s9 += subgroupBroadcast(v11.x, 1u) * c0;
      s9 += subgroupBroadcast(v11.y, 1u) * c1;
      s9 += subgroupBroadcast(v11.z, 1u) * c2;
      s9 += subgroupBroadcast(v11.w, 1u) * c3;
      s10 += subgroupBroadcast(v11.x, 2u) * c0;
      s10 += subgroupBroadcast(v11.y, 2u) * c1;
      s10 += subgroupBroadcast(v11.z, 2u) * c2;
      s10 += subgroupBroadcast(v11.w, 2u) * c3;
      s11 += subgroupBroadcast(v11.x, 3u) * c0;
      s11 += subgroupBroadcast(v11.y, 3u) * c1;
      s11 += subgroupBroadcast(v11.z, 3u) * c2;
      s11 += subgroupBroadcast(v11.w, 3u) * c3;
      s12 += subgroupBroadcast(v11.x, 4u) * c0;
      s12 += subgroupBroadcast(v11.y, 4u) * c1;
      s12 += subgroupBroadcast(v11.z, 4u) * c2;
      s12 += subgroupBroadcast(v11.w, 4u) * c3;
      s13 += subgroupBroadcast(v11.x, 5u) * c0;
      s13 += subgroupBroadcast(v11.y, 5u) * c1;
      s13 += subgroupBroadcast(v11.z, 5u) * c2;
      s13 += subgroupBroadcast(v11.w, 5u) * c3;
      s14 += subgroupBroadcast(v11.x, 6u) * c0;
      s14 += subgroupBroadcast(v11.y, 6u) * c1;
      s14 += subgroupBroadcast(v11.z, 6u) * c2;
      s14 += subgroupBroadcast(v11.w, 6u) * c3;
      s15 += subgroupBroadcast(v11.x, 7u) * c0;
      s15 += subgroupBroadcast(v11.y, 7u) * c1;
      s15 += subgroupBroadcast(v11.z, 7u) * c2;
      s15 += subgroupBroadcast(v11.w, 7u) * c3;
      s16 += subgroupBroadcast(v12.x, 0u) * c0;
      s16 += subgroupBroadcast(v12.y, 0u) * c1;
      s16 += subgroupBroadcast(v12.z, 0u) * c2;
      s16 += subgroupBroadcast(v12.w, 0u) * c3;
      s17 += subgroupBroadcast(v12.x, 1u) * c0;
      s17 += subgroupBroadcast(v12.y, 1u) * c1;
      s17 += subgroupBroadcast(v12.z, 1u) * c2;
      s17 += subgroupBroadcast(v12.w, 1u) * c3;
      s18 += subgroupBroadcast(v12.x, 2u) * c0;
      s18 += subgroupBroadcast(v12.y, 2u) * c1;
      s18 += subgroupBroadcast(v12.z, 2u) * c2;
      s18 += subgroupBroadcast(v12.w, 2u) * c3;
      s19 += subgroupBroadcast(v12.x, 3u) * c0;
      s19 += subgroupBroadcast(v12.y, 3u) * c1;
      s19 += subgroupBroadcast(v12.z, 3u) * c2;
      s19 += subgroupBroadcast(v12.w, 3u) * c3;
    }
    var g0 = zero;
    var g1 = zero;
    var g2 = zero;
    var g3 = zero;
    var g4 = zero;
    var g5 = zero;
    var g6 = zero;
    var g7 = zero;
    var g8 = zero;
    var g9 = zero;
    var g10 = zero;
    var g11 = zero;
    var g12 = zero;
    var g13 = zero;
    var g14 = zero;
    var g15 = zero;
    var g16 = zero;
    var g17 = zero;
    var g18 = zero;
    var g19 = zero;
    for (var d = 0u; d < 16u; d += 4u) {
      let v18 = x4[((((at1 * 1920u) + (at2 * 640u)) + (r0 * 16u)) + d) / 4u];
      let v19 = x4[((((at1 * 1920u) + (at2 * 640u)) + (r1 * 16u)) + d) / 4u];
      let v20 = x4[((((at1 * 1920u) + (at2 * 640u)) + (r2 * 16u)) + d) / 4u];
      let v21 = x5[((((at1 * 1920u) + (at2 * 640u)) + (n0 * 16u)) + d) / 4u];
      let v22 = x5[((((at1 * 1920u) + (at2 * 640u)) + (n1 * 16u)) + d) / 4u];
      let v23 = x5[((((at1 * 1920u) + (at2 * 640u)) + (n2 * 16u)) + d) / 4u];
      let v24 = x5[((((at1 * 1920u) + (at2 * 640u)) + (n3 * 16u)) + d) / 4u];
      let c0 = vec4<f32>(v21.x, v22.x, v23.x, v24.x);
      let c1 = vec4<f32>(v21.y, v22.y, v23.y, v24.y);
      let c2 = vec4<f32>(v21.z, v22.z, v23.z, v24.z);
      let c3 = vec4<f32>(v21.w, v22.w, v23.w, v24.w);
      g0 += subgroupBroadcast(v18.x, 0u) * c0;
      g0 += subgroupBroadcast(v18.y, 0u) * c1;
      g0 += subgroupBroadcast(v18.z, 0u) * c2;
      g0 += subgroupBroadcast(v18.w, 0u) * c3;
      g1 += subgroupBroadcast(v18.x, 1u) * c0;
      g1 += subgroupBroadcast(v18.y, 1u) * c1;
      g1 += subgroupBroadcast(v18.z, 1u) * c2;
      g1 += subgroupBroadcast(v18.w, 1u) * c3;
      g2 += subgroupBroadcast(v18.x, 2u) * c0;
      g2 += subgroupBroadcast(v18.y, 2u) * c1;
      g2 += subgroupBroadcast(v18.z, 2u) * c2;
      g2 += subgroupBroadcast(v18.w, 2u) * c3;
      g3 += subgroupBroadcast(v18.x, 3u) * c0;
      g3 += subgroupBroadcast(v18.y, 3u) * c1;
      g3 += subgroupBroadcast(v18.z, 3u) * c2;
      g3 += subgroupBroadcast(v18.w, 3u) * c3;
      g4 += subgroupBroadcast(v18.x, 4u) * c0;
      g4 += subgroupBroadcast(v18.y, 4u) * c1;
      g4 += subgroupBroadcast(v18.z, 4u) * c2;
      g4 += subgroupBroadcast(v18.w, 4u) * c3;
      g5 += subgroupBroadcast(v18.x, 5u) * c0;
      g5 += subgroupBroadcast(v18.y, 5u) * c1;
      g5 += subgroupBroadcast(v18.z, 5u) * c2;
      g5 += subgroupBroadcast(v18.w, 5u) * c3;
      g6 += subgroupBroadcast(v18.x, 6u) * c0;
      g6 += subgroupBroadcast(v18.y, 6u) * c1;
      g6 += subgroupBroadcast(v18.z, 6u) * c2;
      g6 += subgroupBroadcast(v18.w, 6u) * c3;
      g7 += subgroupBroadcast(v18.x, 7u) * c0;
      g7 += subgroupBroadcast(v18.y, 7u) * c1;
      g7 += subgroupBroadcast(v18.z, 7u) * c2;
      g7 += subgroupBroadcast(v18.w, 7u) * c3;
      g8 += subgroupBroadcast(v19.x, 0u) * c0;
      g8 += subgroupBroadcast(v19.y, 0u) * c1;
      g8 += subgroupBroadcast(v19.z, 0u) * c2;
      g8 += subgroupBroadcast(v19.w, 0u) * c3;
      g9 += subgroupBroadcast(v19.x, 1u) * c0;
      g9 += subgroupBroadcast(v19.y, 1u) * c1;
      g9 += subgroupBroadcast(v19.z, 1u) * c2;
      g9 += subgroupBroadcast(v19.w, 1u) * c3;
      g10 += subgroupBroadcast(v19.x, 2u) * c0;
      g10 += subgroupBroadcast(v19.y, 2u) * c1;
      g10 += subgroupBroadcast(v19.z, 2u) * c2;
      g10 += subgroupBroadcast(v19.w, 2u) * c3;
      g11 += subgroupBroadcast(v19.x, 3u) * c0;
      g11 += subgroupBroadcast(v19.y, 3u) * c1;
      g11 += subgroupBroadcast(v19.z, 3u) * c2;
      g11 += subgroupBroadcast(v19.w, 3u) * c3;
      g12 += subgroupBroadcast(v19.x, 4u) * c0;
      g12 += subgroupBroadcast(v19.y, 4u) * c1;
      g12 += subgroupBroadcast(v19.z, 4u) * c2;
      g12 += subgroupBroadcast(v19.w, 4u) * c3;
      g13 += subgroupBroadcast(v19.x, 5u) * c0;
      g13 += subgroupBroadcast(v19.y, 5u) * c1;
      g13 += subgroupBroadcast(v19.z, 5u) * c2;
      g13 += subgroupBroadcast(v19.w, 5u) * c3;
      g14 += subgroupBroadcast(v19.x, 6u) * c0;
      g14 += subgroupBroadcast(v19.y, 6u) * c1;
      g14 += subgroupBroadcast(v19.z, 6u) * c2;
      g14 += subgroupBroadcast(v19.w, 6u) * c3;
      g15 += subgroupBroadcast(v19.x, 7u) * c0;
      g15 += subgroupBroadcast(v19.y, 7u) * c1;
      g15 += subgroupBroadcast(v19.z, 7u) * c2;
      g15 += subgroupBroadcast(v19.w, 7u) * c3;
      g16 += subgroupBroadcast(v20.x, 0u) * c0;
      g16 += subgroupBroadcast(v20.y, 0u) * c1;
      g16 += subgroupBroadcast(v20.z, 0u) * c2;
      g16 += subgroupBroadcast(v20.w, 0u) * c3;
      g17 += subgroupBroadcast(v20.x, 1u) * c0;
      g17 += subgroupBroadcast(v20.y, 1u) * c1;
      g17 += subgroupBroadcast(v20.z, 1u) * c2;
      g17 += subgroupBroadcast(v20.w, 1u) * c3;
      g18 += subgroupBroadcast(v20.x, 2u) * c0;
      g18 += subgroupBroadcast(v20.y, 2u) * c1;
      g18 += subgroupBroadcast(v20.z, 2u) * c2;
      g18 += subgroupBroadcast(v20.w, 2u) * c3;
      g19 += subgroupBroadcast(v20.x, 3u) * c0;
      g19 += subgroupBroadcast(v20.y, 3u) * c1;
      g19 += subgroupBroadcast(v20.z, 3u) * c2;
      g19 += subgroupBroadcast(v20.w, 3u) * c3;
    }
    // Weights, from the logarithms of the sums of the forward pass; g: the gradients of the scores.
    s0 = select(vec4<f32>(), weight_v4(s0 * 0.25f - subgroupBroadcast(v3, 0u)), at <= vec4<u32>(min(first + 0u, 39u)));
    g0 = s0 * (g0 - subgroupBroadcast(v6, 0u)) * 0.25f;
    s1 = select(vec4<f32>(), weight_v4(s1 * 0.25f - subgroupBroadcast(v3, 1u)), at <= vec4<u32>(min(first + 1u, 39u)));
    g1 = s1 * (g1 - subgroupBroadcast(v6, 1u)) * 0.25f;
    s2 = select(vec4<f32>(), weight_v4(s2 * 0.25f - subgroupBroadcast(v3, 2u)), at <= vec4<u32>(min(first + 2u, 39u)));
    g2 = s2 * (g2 - subgroupBroadcast(v6, 2u)) * 0.25f;
    s3 = select(vec4<f32>(), weight_v4(s3 * 0.25f - subgroupBroadcast(v3, 3u)), at <= vec4<u32>(min(first + 3u, 39u)));
    g3 = s3 * (g3 - subgroupBroadcast(v6, 3u)) * 0.25f;
    s4 = select(vec4<f32>(), weight_v4(s4 * 0.25f - subgroupBroadcast(v3, 4u)), at <= vec4<u32>(min(first + 4u, 39u)));
    g4 = s4 * (g4 - subgroupBroadcast(v6, 4u)) * 0.25f;
    s5 = select(vec4<f32>(), weight_v4(s5 * 0.25f - subgroupBroadcast(v3, 5u)), at <= vec4<u32>(min(first + 5u, 39u)));
    g5 = s5 * (g5 - subgroupBroadcast(v6, 5u)) * 0.25f;
    s6 = select(vec4<f32>(), weight_v4(s6 * 0.25f - subgroupBroadcast(v3, 6u)), at <= vec4<u32>(min(first + 6u, 39u)));
    g6 = s6 * (g6 - subgroupBroadcast(v6, 6u)) * 0.25f;
    s7 = select(vec4<f32>(), weight_v4(s7 * 0.25f - subgroupBroadcast(v3, 7u)), at <= vec4<u32>(min(first + 7u, 39u)));
    g7 = s7 * (g7 - subgroupBroadcast(v6, 7u)) * 0.25f;
    s8 = select(vec4<f32>(), weight_v4(s8 * 0.25f - subgroupBroadcast(v4, 0u)), at <= vec4<u32>(min(first + 8u, 39u)));
    g8 = s8 * (g8 - subgroupBroadcast(v7, 0u)) * 0.25f;
    s9 = select(vec4<f32>(), weight_v4(s9 * 0.25f - subgroupBroadcast(v4, 1u)), at <= vec4<u32>(min(first + 9u, 39u)));
    g9 = s9 * (g9 - subgroupBroadcast(v7, 1u)) * 0.25f;
    s10 = select(vec4<f32>(), weight_v4(s10 * 0.25f - subgroupBroadcast(v4, 2u)), at <= vec4<u32>(min(first + 10u, 39u)));
    g10 = s10 * (g10 - subgroupBroadcast(v7, 2u)) * 0.25f;
    s11 = select(vec4<f32>(), weight_v4(s11 * 0.25f - subgroupBroadcast(v4, 3u)), at <= vec4<u32>(min(first + 11u, 39u)));
    g11 = s11 * (g11 - subgroupBroadcast(v7, 3u)) * 0.25f;
    s12 = select(vec4<f32>(), weight_v4(s12 * 0.25f - subgroupBroadcast(v4, 4u)), at <= vec4<u32>(min(first + 12u, 39u)));
    g12 = s12 * (g12 - subgroupBroadcast(v7, 4u)) * 0.25f;
    s13 = select(vec4<f32>(), weight_v4(s13 * 0.25f - subgroupBroadcast(v4, 5u)), at <= vec4<u32>(min(first + 13u, 39u)));
    g13 = s13 * (g13 - subgroupBroadcast(v7, 5u)) * 0.25f;
    s14 = select(vec4<f32>(), weight_v4(s14 * 0.25f - subgroupBroadcast(v4, 6u)), at <= vec4<u32>(min(first + 14u, 39u)));
    g14 = s14 * (g14 - subgroupBroadcast(v7, 6u)) * 0.25f;
    s15 = select(vec4<f32>(), weight_v4(s15 * 0.25f - subgroupBroadcast(v4, 7u)), at <= vec4<u32>(min(first + 15u, 39u)));
    g15 = s15 * (g15 - subgroupBroadcast(v7, 7u)) * 0.25f;
    s16 = select(vec4<f32>(), weight_v4(s16 * 0.25f - subgroupBroadcast(v5, 0u)), at <= vec4<u32>(min(first + 16u, 39u)));
    g16 = s16 * (g16 - subgroupBroadcast(v8, 0u)) * 0.25f;
    s17 = select(vec4<f32>(), weight_v4(s17 * 0.25f - subgroupBroadcast(v5, 1u)), at <= vec4<u32>(min(first + 17u, 39u)));
    g17 = s17 * (g17 - subgroupBroadcast(v8, 1u)) * 0.25f;
    s18 = select(vec4<f32>(), weight_v4(s18 * 0.25f - subgroupBroadcast(v5, 2u)), at <= vec4<u32>(min(first + 18u, 39u)));
    g18 = s18 * (g18 - subgroupBroadcast(v8, 2u)) * 0.25f;
    s19 = select(vec4<f32>(), weight_v4(s19 * 0.25f - subgroupBroadcast(v5, 3u)), at <= vec4<u32>(min(first + 19u, 39u)));
    g19 = s19 * (g19 - subgroupBroadcast(v8, 3u)) * 0.25f;
    // Sums of the weighted rows of the other side: four columns at a time, those in the x of the first four lanes.
    // Then the weights move on: y, z and w to x, and after these the x of the next four lanes, so that the code is short.
    for (var j = next; j < min(end, next + 32u); j += 4u) {  // at most 8 turns
      let m0 = min(j + 0u, 39u);
      let m1 = min(j + 1u, 39u);
      let m2 = min(j + 2u, 39u);
      let m3 = min(j + 3u, 39u);
      let v26 = x3[((((at1 * 1920u) + (at2 * 640u)) + (m0 * 16u)) + e16_0) / 4u];
      let v27 = x3[((((at1 * 1920u) + (at2 * 640u)) + (m1 * 16u)) + e16_0) / 4u];
      let v28 = x3[((((at1 * 1920u) + (at2 * 640u)) + (m2 * 16u)) + e16_0) / 4u];
      let v29 = x3[((((at1 * 1920u) + (at2 * 640u)) + (m3 * 16u)) + e16_0) / 4u];
      {
        let x0 = subgroupBroadcast(g0.x, 0u);
        let x1 = subgroupBroadcast(g0.x, 1u);
        let x2 = subgroupBroadcast(g0.x, 2u);
        let x3 = subgroupBroadcast(g0.x, 3u);
        o0_0 += (x0 * v26 + (x1 * v27)) + (x2 * v28 + (x3 * v29));
      }
      {
        let x0 = subgroupBroadcast(g1.x, 0u);
        let x1 = subgroupBroadcast(g1.x, 1u);
        let x2 = subgroupBroadcast(g1.x, 2u);
        let x3 = subgroupBroadcast(g1.x, 3u);
        o1_0 += (x0 * v26 + (x1 * v27)) + (x2 * v28 + (x3 * v29));
      }
      {
        let x0 = subgroupBroadcast(g2.x, 0u);
        let x1 = subgroupBroadcast(g2.x, 1u);
        let x2 = subgroupBroadcast(g2.x, 2u);
        let x3 = subgroupBroadcast(g2.x, 3u);
        o2_0 += (x0 * v26 + (x1 * v27)) + (x2 * v28 + (x3 * v29));
      }
      {
        let x0 = subgroupBroadcast(g3.x, 0u);
        let x1 = subgroupBroadcast(g3.x, 1u);
        let x2 = subgroupBroadcast(g3.x, 2u);
        let x3 = subgroupBroadcast(g3.x, 3u);
        o3_0 += (x0 * v26 + (x1 * v27)) + (x2 * v28 + (x3 * v29));
      }
      {
        let x0 = subgroupBroadcast(g4.x, 0u);
        let x1 = subgroupBroadcast(g4.x, 1u);
        let x2 = subgroupBroadcast(g4.x, 2u);
        let x3 = subgroupBroadcast(g4.x, 3u);
        o4_0 += (x0 * v26 + (x1 * v27)) + (x2 * v28 + (x3 * v29));
      }
      {
        let x0 = subgroupBroadcast(g5.x, 0u);
        let x1 = subgroupBroadcast(g5.x, 1u);
        let x2 = subgroupBroadcast(g5.x, 2u);
        let x3 = subgroupBroadcast(g5.x, 3u);
        o5_0 += (x0 * v26 + (x1 * v27)) + (x2 * v28 + (x3 * v29));
      }
      {
        let x0 = subgroupBroadcast(g6.x, 0u);
        let x1 = subgroupBroadcast(g6.x, 1u);
        let x2 = subgroupBroadcast(g6.x, 2u);
        let x3 = subgroupBroadcast(g6.x, 3u);
        o6_0 += (x0 * v26 + (x1 * v27)) + (x2 * v28 + (x3 * v29));
      }
      {
        let x0 = subgroupBroadcast(g7.x, 0u);
        let x1 = subgroupBroadcast(g7.x, 1u);
        let x2 = subgroupBroadcast(g7.x, 2u);
        let x3 = subgroupBroadcast(g7.x, 3u);
        o7_0 += (x0 * v26 + (x1 * v27)) + (x2 * v28 + (x3 * v29));
      }
      {
        let x0 = subgroupBroadcast(g8.x, 0u);
        let x1 = subgroupBroadcast(g8.x, 1u);
        let x2 = subgroupBroadcast(g8.x, 2u);
        let x3 = subgroupBroadcast(g8.x, 3u);
        o8_0 += (x0 * v26 + (x1 * v27)) + (x2 * v28 + (x3 * v29));
      }
      {
        let x0 = subgroupBroadcast(g9.x, 0u);
        let x1 = subgroupBroadcast(g9.x, 1u);
        let x2 = subgroupBroadcast(g9.x, 2u);
        let x3 = subgroupBroadcast(g9.x, 3u);
        o9_0 += (x0 * v26 + (x1 * v27)) + (x2 * v28 + (x3 * v29));
      }
      {
        let x0 = subgroupBroadcast(g10.x, 0u);
        let x1 = subgroupBroadcast(g10.x, 1u);
        let x2 = subgroupBroadcast(g10.x, 2u);
        let x3 = subgroupBroadcast(g10.x, 3u);
        o10_0 += (x0 * v26 + (x1 * v27)) + (x2 * v28 + (x3 * v29));
      }
      {
        let x0 = subgroupBroadcast(g11.x, 0u);
        let x1 = subgroupBroadcast(g11.x, 1u);
        let x2 = subgroupBroadcast(g11.x, 2u);
        let x3 = subgroupBroadcast(g11.x, 3u);
        o11_0 += (x0 * v26 + (x1 * v27)) + (x2 * v28 + (x3 * v29));
      }
      {
        let x0 = subgroupBroadcast(g12.x, 0u);
        let x1 = subgroupBroadcast(g12.x, 1u);
        let x2 = subgroupBroadcast(g12.x, 2u);
        let x3 = subgroupBroadcast(g12.x, 3u);
        o12_0 += (x0 * v26 + (x1 * v27)) + (x2 * v28 + (x3 * v29));
      }
      {
        let x0 = subgroupBroadcast(g13.x, 0u);
        let x1 = subgroupBroadcast(g13.x, 1u);
        let x2 = subgroupBroadcast(g13.x, 2u);
        let x3 = subgroupBroadcast(g13.x, 3u);
        o13_0 += (x0 * v26 + (x1 * v27)) + (x2 * v28 + (x3 * v29));
      }
      {
        let x0 = subgroupBroadcast(g14.x, 0u);
        let x1 = subgroupBroadcast(g14.x, 1u);
        let x2 = subgroupBroadcast(g14.x, 2u);
        let x3 = subgroupBroadcast(g14.x, 3u);
        o14_0 += (x0 * v26 + (x1 * v27)) + (x2 * v28 + (x3 * v29));
      }
      {
        let x0 = subgroupBroadcast(g15.x, 0u);
        let x1 = subgroupBroadcast(g15.x, 1u);
        let x2 = subgroupBroadcast(g15.x, 2u);
        let x3 = subgroupBroadcast(g15.x, 3u);
        o15_0 += (x0 * v26 + (x1 * v27)) + (x2 * v28 + (x3 * v29));
      }
      {
        let x0 = subgroupBroadcast(g16.x, 0u);
        let x1 = subgroupBroadcast(g16.x, 1u);
        let x2 = subgroupBroadcast(g16.x, 2u);
        let x3 = subgroupBroadcast(g16.x, 3u);
        o16_0 += (x0 * v26 + (x1 * v27)) + (x2 * v28 + (x3 * v29));
      }
      {
        let x0 = subgroupBroadcast(g17.x, 0u);
        let x1 = subgroupBroadcast(g17.x, 1u);
        let x2 = subgroupBroadcast(g17.x, 2u);
        let x3 = subgroupBroadcast(g17.x, 3u);
        o17_0 += (x0 * v26 + (x1 * v27)) + (x2 * v28 + (x3 * v29));
      }
      {
        let x0 = subgroupBroadcast(g18.x, 0u);
        let x1 = subgroupBroadcast(g18.x, 1u);
        let x2 = subgroupBroadcast(g18.x, 2u);
        let x3 = subgroupBroadcast(g18.x, 3u);
        o18_0 += (x0 * v26 + (x1 * v27)) + (x2 * v28 + (x3 * v29));
      }
      {
        let x0 = subgroupBroadcast(g19.x, 0u);
        let x1 = subgroupBroadcast(g19.x, 1u);
        let x2 = subgroupBroadcast(g19.x, 2u);
        let x3 = subgroupBroadcast(g19.x, 3u);
        o19_0 += (x0 * v26 + (x1 * v27)) + (x2 * v28 + (x3 * v29));
      }
      g0 = vec4<f32>(g0.yzw, subgroupShuffle(g0.x, four_on));
      g1 = vec4<f32>(g1.yzw, subgroupShuffle(g1.x, four_on));
      g2 = vec4<f32>(g2.yzw, subgroupShuffle(g2.x, four_on));
      g3 = vec4<f32>(g3.yzw, subgroupShuffle(g3.x, four_on));
      g4 = vec4<f32>(g4.yzw, subgroupShuffle(g4.x, four_on));
      g5 = vec4<f32>(g5.yzw, subgroupShuffle(g5.x, four_on));
      g6 = vec4<f32>(g6.yzw, subgroupShuffle(g6.x, four_on));
      g7 = vec4<f32>(g7.yzw, subgroupShuffle(g7.x, four_on));
      g8 = vec4<f32>(g8.yzw, subgroupShuffle(g8.x, four_on));
      g9 = vec4<f32>(g9.yzw, subgroupShuffle(g9.x, four_on));
      g10 = vec4<f32>(g10.yzw, subgroupShuffle(g10.x, four_on));
      g11 = vec4<f32>(g11.yzw, subgroupShuffle(g11.x, four_on));
      g12 = vec4<f32>(g12.yzw, subgroupShuffle(g12.x, four_on));
      g13 = vec4<f32>(g13.yzw, subgroupShuffle(g13.x, four_on));
      g14 = vec4<f32>(g14.yzw, subgroupShuffle(g14.x, four_on));
      g15 = vec4<f32>(g15.yzw, subgroupShuffle(g15.x, four_on));
      g16 = vec4<f32>(g16.yzw, subgroupShuffle(g16.x, four_on));
      g17 = vec4<f32>(g17.yzw, subgroupShuffle(g17.x, four_on));
      g18 = vec4<f32>(g18.yzw, subgroupShuffle(g18.x, four_on));
      g19 = vec4<f32>(g19.yzw, subgroupShuffle(g19.x, four_on));
    }
  }
  if ((lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 0u) * 16u)) + e16_0) / 4u] = o0_0;
  }
  if ((lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 1u) * 16u)) + e16_0) / 4u] = o1_0;
  }
  if ((lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 2u) * 16u)) + e16_0) / 4u] = o2_0;
  }
  if ((lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 3u) * 16u)) + e16_0) / 4u] = o3_0;
  }
  if ((lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 4u) * 16u)) + e16_0) / 4u] = o4_0;
  }
  if ((lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 5u) * 16u)) + e16_0) / 4u] = o5_0;
  }
  if ((lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 6u) * 16u)) + e16_0) / 4u] = o6_0;
  }
  if ((lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 7u) * 16u)) + e16_0) / 4u] = o7_0;
  }
  if ((lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 8u) * 16u)) + e16_0) / 4u] = o8_0;
  }
  if ((lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 9u) * 16u)) + e16_0) / 4u] = o9_0;
  }
  if ((lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 10u) * 16u)) + e16_0) / 4u] = o10_0;
  }
  if ((lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 11u) * 16u)) + e16_0) / 4u] = o11_0;
  }
  if ((lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 12u) * 16u)) + e16_0) / 4u] = o12_0;
  }
  if ((lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 13u) * 16u)) + e16_0) / 4u] = o13_0;
  }
  if ((lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 14u) * 16u)) + e16_0) / 4u] = o14_0;
  }
  if ((lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 15u) * 16u)) + e16_0) / 4u] = o15_0;
  }
  if ((lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 16u) * 16u)) + e16_0) / 4u] = o16_0;
  }
  if ((lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 17u) * 16u)) + e16_0) / 4u] = o17_0;
  }
  if ((lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 18u) * 16u)) + e16_0) / 4u] = o18_0;
  }
  if ((lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 19u) * 16u)) + e16_0) / 4u] = o19_0;
  }
}

// attention_keys: workgroups [(18, 1, 1)], binds read, read, read, read_write, read_write, read_write, read_write, read_write, needs subgroup
@group(0) @binding(0) var<storage, read> x0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> x1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> x2: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> x3: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> x4: array<f32>;
@group(0) @binding(5) var<storage, read_write> x5: array<f32>;
@group(0) @binding(6) var<storage, read_write> y0: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> y1: array<vec4<f32>>;

fn gc_unknown() -> u32 {
  return select(0u, 1u, arrayLength(&x0) == 0u);
}
fn gc_hold_v4(x: vec4<f32>) -> vec4<f32> {
  return bitcast<vec4<f32>>(bitcast<vec4<u32>>(x) + vec4<u32>(gc_unknown()));
}
fn gc_isnan_v4(x: vec4<f32>) -> vec4<bool> {
  return (bitcast<vec4<u32>>(x) & vec4<u32>(0x7fffffffu)) > vec4<u32>(0x7f800000u);
}

// attention, gradients of keys and values: rows are keys, columns queries
// grid: one workgroup (one subgroup) for 14 rows of one batch element, 3 blocks of rows each; folded into y.
// It visits the other side in steps of 32: each lane holds four scores of every row.
fn weight_v4(x: vec4<f32>) -> vec4<f32> {
  return select(exp(x), x, gc_isnan_v4(x));
}

fn highest(x: f32) -> f32 {
  var y = x; y = max(y, subgroupShuffleXor(y, 1u)); y = max(y, subgroupShuffleXor(y, 2u)); y = max(y, subgroupShuffleXor(y, 4u)); return y;
}

fn added(x: f32) -> f32 {
  var y = x; y += subgroupShuffleXor(y, 1u); y += subgroupShuffleXor(y, 2u); y += subgroupShuffleXor(y, 4u); return y;
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let block = group.x + group.y * 18u;
  if (block >= 18u) { return; }
  let batch = block / 3u;
  let first = block % 3u * 14u;
  let four_on = (lane + 4u) % 8u;
  let zero = gc_hold_v4(vec4<f32>());
  let at1 = (batch / 3u);
  let at2 = (batch % 3u);
  let e16_0 = min((lane + 0u) * 4u, 12u);
  let r0 = min(first + lane + 0u, 39u);
  let r1 = min(first + lane + 8u, 39u);
  var dv0_0 = vec4<f32>();
  var dv1_0 = vec4<f32>();
  var dv2_0 = vec4<f32>();
  var dv3_0 = vec4<f32>();
  var dv4_0 = vec4<f32>();
  var dv5_0 = vec4<f32>();
  var dv6_0 = vec4<f32>();
  var dv7_0 = vec4<f32>();
  var dv8_0 = vec4<f32>();
  var dv9_0 = vec4<f32>();
  var dv10_0 = vec4<f32>();
  var dv11_0 = vec4<f32>();
  var dv12_0 = vec4<f32>();
  var dv13_0 = vec4<f32>();
  var dk0_0 = vec4<f32>();
  var dk1_0 = vec4<f32>();
  var dk2_0 = vec4<f32>();
  var dk3_0 = vec4<f32>();
  var dk4_0 = vec4<f32>();
  var dk5_0 = vec4<f32>();
  var dk6_0 = vec4<f32>();
  var dk7_0 = vec4<f32>();
  var dk8_0 = vec4<f32>();
  var dk9_0 = vec4<f32>();
  var dk10_0 = vec4<f32>();
  var dk11_0 = vec4<f32>();
  var dk12_0 = vec4<f32>();
  var dk13_0 = vec4<f32>();
  let end = 40u;
  for (var next = (max(first, 0u) - 0u) / 4u * 4u; next < end; next += 32u) {  // at most 2 turns
    let at = vec4<u32>(next + lane / 4u * 16u + lane % 4u) + vec4<u32>(0u, 4u, 8u, 12u);
    let n0 = min(at.x, 39u);
    let n1 = min(at.y, 39u);
    let n2 = min(at.z, 39u);
    let n3 = min(at.w, 39u);
    // Scores: a row's stay in registers while its terms are added, all columns first, then row by row.
    var s0 = zero;
    var s1 = zero;
    var s2 = zero;
    var s3 = zero;
    var s4 = zero;
    var s5 = zero;
    var s6 = zero;
    var s7 = zero;
    var s8 = zero;
    var s9 = zero;
    var s10 = zero;
    var s11 = zero;
    var s12 = zero;
    var s13 = zero;
    for (var d = 0u; d < 16u; d += 4u) {
      let v4 = x0[((((at1 * 1920u) + (at2 * 640u)) + (r0 * 16u)) + d) / 4u];
      let v5 = x0[((((at1 * 1920u) + (at2 * 640u)) + (r1 * 16u)) + d) / 4u];
      let v6 = x1[((((at1 * 1920u) + (at2 * 640u)) + (n0 * 16u)) + d) / 4u];
      let v7 = x1[((((at1 * 1920u) + (at2 * 640u)) + (n1 * 16u)) + d) / 4u];
      let v8 = x1[((((at1 * 1920u) + (at2 * 640u)) + (n2 * 16u)) + d) / 4u];
      let v9 = x1[((((at1 * 1920u) + (at2 * 640u)) + (n3 * 16u)) + d) / 4u];
      let c0 = vec4<f32>(v6.x, v7.x, v8.x, v9.x);
      let c1 = vec4<f32>(v6.y, v7.y, v8.y, v9.y);
      let c2 = vec4<f32>(v6.z, v7.z, v8.z, v9.z);
      let c3 = vec4<f32>(v6.w, v7.w, v8.w, v9.w);
      s0 += subgroupBroadcast(v4.x, 0u) * c0;
      s0 += subgroupBroadcast(v4.y, 0u) * c1;
      s0 += subgroupBroadcast(v4.z, 0u) * c2;
      s0 += subgroupBroadcast(v4.w, 0u) * c3;
      s1 += subgroupBroadcast(v4.x, 1u) * c0;
      s1 += subgroupBroadcast(v4.y, 1u) * c1;
      s1 += subgroupBroadcast(v4.z, 1u) * c2;
      s1 += subgroupBroadcast(v4.w, 1u) * c3;
      s2 += subgroupBroadcast(v4.x, 2u) * c0;
      s2 += subgroupBroadcast(v4.y, 2u) * c1;
      s2 += subgroupBroadcast(v4.z, 2u) * c2;
      s2 += subgroupBroadcast(v4.w, 2u) * c3;
      s3 += subgroupBroadcast(v4.x, 3u) * c0;
      s3 += subgroupBroadcast(v4.y, 3u) * c1;
      s3 += subgroupBroadcast(v4.z, 3u) * c2;
      s3 += subgroupBroadcast(v4.w, 3u) * c3;
      s4 += subgroupBroadcast(v4.x, 4u) * c0;
      s4 += subgroupBroadcast(v4.y, 4u) * c1;
      s4 += subgroupBroadcast(v4.z, 4u) * c2;
      s4 += subgroupBroadcast(v4.w, 4u) * c3;
      s5 += subgroupBroadcast(v4.x, 5u) * c0;
      s5 += subgroupBroadcast(v4.y, 5u) * c1;
      s5 += subgroupBroadcast(v4.z, 5u) * c2;
      s5 += subgroupBroadcast(v4.w, 5u) * c3;
      s6 += subgroupBroadcast(v4.x, 6u) * c0;
      s6 += subgroupBroadcast(v4.y, 6u) * c1;
      s6 += subgroupBroadcast(v4.z, 6u) * c2;
      s6 += subgroupBroadcast(v4.w, 6u) * c3;
      s7 += subgroupBroadcast(v4.x, 7u) * c0;
      s7 += subgroupBroadcast(v4.y, 7u) * c1;
      s7 += subgroupBroadcast(v4.z, 7u) * c2;
      s7 += subgroupBroadcast(v4.w, 7u) * c3;
      s8 += subgroupBroadcast(v5.x, 0u) * c0;
      s8 += subgroupBroadcast(v5.y, 0u) * c1;
      s8 += subgroupBroadcast(v5.z, 0u) * c2;
      s8 += subgroupBroadcast(v5.w, 0u) * c3;
      s9 += subgroupBroadcast(v5.x, 1u) * c0;
      s9 += subgroupBroadcast(v5.y, 1u) * c1;
      s9 += subgroupBroadcast(v5.z, 1u) * c2;
      s9 += subgroupBroadcast(v5.w, 1u) * c3;
      s10 += subgroupBroadcast(v5.x, 2u) * c0;
      s10 += subgroupBroadcast(v5.y, 2u) * c1;
      s10 += subgroupBroadcast(v5.z, 2u) * c2;
      s10 += subgroupBroadcast(v5.w, 2u) * c3;
      s11 += subgroupBroadcast(v5.x, 3u) * c0;
      s11 += subgroupBroadcast(v5.y, 3u) * c1;
      s11 += subgroupBroadcast(v5.z, 3u) * c2;
      s11 += subgroupBroadcast(v5.w, 3u) * c3;
      s12 += subgroupBroadcast(v5.x, 4u) * c0;
      s12 += subgroupBroadcast(v5.y, 4u) * c1;
      s12 += subgroupBroadcast(v5.z, 4u) * c2;
      s12 += subgroupBroadcast(v5.w, 4u) * c3;
      s13 += subgroupBroadcast(v5.x, 5u) * c0;
      s13 += subgroupBroadcast(v5.y, 5u) * c1;
      s13 += subgroupBroadcast(v5.z, 5u) * c2;
      s13 += subgroupBroadcast(v5.w, 5u) * c3;
    }
    var g0 = zero;
    var g1 = zero;
    var g2 = zero;
    var g3 = zero;
    var g4 = zero;
    var g5 = zero;
    var g6 = zero;
    var g7 = zero;
    var g8 = zero;
    var g9 = zero;
    var g10 = zero;
    var g11 = zero;
    var g12 = zero;
    var g13 = zero;
    for (var d = 0u; d < 16u; d += 4u) {
      let v11 = x2[((((at1 * 1920u) + (at2 * 640u)) + (r0 * 16u)) + d) / 4u];
      let v12 = x2[((((at1 * 1920u) + (at2 * 640u)) + (r1 * 16u)) + d) / 4u];
      let v13 = x3[((((at1 * 1920u) + (at2 * 640u)) + (n0 * 16u)) + d) / 4u];
      let v14 = x3[((((at1 * 1920u) + (at2 * 640u)) + (n1 * 16u)) + d) / 4u];
      let v15 = x3[((((at1 * 1920u) + (at2 * 640u)) + (n2 * 16u)) + d) / 4u];
      let v16 = x3[((((at1 * 1920u) + (at2 * 640u)) + (n3 * 16u)) + d) / 4u];
      let c0 = vec4<f32>(v13.x, v14.x, v15.x, v16.x);
      let c1 = vec4<f32>(v13.y, v14.y, v15.y, v16.y);
      let c2 = vec4<f32>(v13.z, v14.z, v15.z, v16.z);
      let c3 = vec4<f32>(v13.w, v14.w, v15.w, v16.w);
      g0 += subgroupBroadcast(v11.x, 0u) * c0;
      g0 += subgroupBroadcast(v11.y, 0u) * c1;
      g0 += subgroupBroadcast(v11.z, 0u) * c2;
      g0 += subgroupBroadcast(v11.w, 0u) * c3;
      g1 += subgroupBroadcast(v11.x, 1u) * c0;
      g1 += subgroupBroadcast(v11.y, 1u) * c1;
      g1 += subgroupBroadcast(v11.z, 1u) * c2;
      g1 += subgroupBroadcast(v11.w, 1u) * c3;
      g2 += subgroupBroadcast(v11.x, 2u) * c0;
      g2 += subgroupBroadcast(v11.y, 2u) * c1;
      g2 += subgroupBroadcast(v11.z, 2u) * c2;
      g2 += subgroupBroadcast(v11.w, 2u) * c3;
      g3 += subgroupBroadcast(v11.x, 3u) * c0;
      g3 += subgroupBroadcast(v11.y, 3u) * c1;
      g3 += subgroupBroadcast(v11.z, 3u) * c2;
      g3 += subgroupBroadcast(v11.w, 3u) * c3;
      g4 += subgroupBroadcast(v11.x, 4u) * c0;
      g4 += subgroupBroadcast(v11.y, 4u) * c1;
      g4 += subgroupBroadcast(v11.z, 4u) * c2;
      g4 += subgroupBroadcast(v11.w, 4u) * c3;
      g5 += subgroupBroadcast(v11.x, 5u) * c0;
      g5 += subgroupBroadcast(v11.y, 5u) * c1;
      g5 += subgroupBroadcast(v11.z, 5u) * c2;
      g5 += subgroupBroadcast(v11.w, 5u) * c3;
      g6 += subgroupBroadcast(v11.x, 6u) * c0;
      g6 += subgroupBroadcast(v11.y, 6u) * c1;
      g6 += subgroupBroadcast(v11.z, 6u) * c2;
      g6 += subgroupBroadcast(v11.w, 6u) * c3;
      g7 += subgroupBroadcast(v11.x, 7u) * c0;
      g7 += subgroupBroadcast(v11.y, 7u) * c1;
      g7 += subgroupBroadcast(v11.z, 7u) * c2;
      g7 += subgroupBroadcast(v11.w, 7u) * c3;
      g8 += subgroupBroadcast(v12.x, 0u) * c0;
      g8 += subgroupBroadcast(v12.y, 0u) * c1;
      g8 += subgroupBroadcast(v12.z, 0u) * c2;
      g8 += subgroupBroadcast(v12.w, 0u) * c3;
      g9 += subgroupBroadcast(v12.x, 1u) * c0;
      g9 += subgroupBroadcast(v12.y, 1u) * c1;
      g9 += subgroupBroadcast(v12.z, 1u) * c2;
      g9 += subgroupBroadcast(v12.w, 1u) * c3;
      g10 += subgroupBroadcast(v12.x, 2u) * c0;
      g10 += subgroupBroadcast(v12.y, 2u) * c1;
      g10 += subgroupBroadcast(v12.z, 2u) * c2;
      g10 += subgroupBroadcast(v12.w, 2u) * c3;
      g11 += subgroupBroadcast(v12.x, 3u) * c0;
      g11 += subgroupBroadcast(v12.y, 3u) * c1;
      g11 += subgroupBroadcast(v12.z, 3u) * c2;
      g11 += subgroupBroadcast(v12.w, 3u) * c3;
      g12 += subgroupBroadcast(v12.x, 4u) * c0;
      g12 += subgroupBroadcast(v12.y, 4u) * c1;
      g12 += subgroupBroadcast(v12.z, 4u) * c2;
      g12 += subgroupBroadcast(v12.w, 4u) * c3;
      g13 += subgroupBroadcast(v12.x, 5u) * c0;
      g13 += subgroupBroadcast(v12.y, 5u) * c1;
      g13 += subgroupBroadcast(v12.z, 5u) * c2;
      g13 += subgroupBroadcast(v12.w, 5u) * c3;
    }
    // Weights, from the logarithms of the sums of the forward pass; g: the gradients of the scores.
    let v17 = x4[(((at1 * 120u) + (at2 * 40u)) + n0)];
    let v18 = x4[(((at1 * 120u) + (at2 * 40u)) + n1)];
    let v19 = x4[(((at1 * 120u) + (at2 * 40u)) + n2)];
    let v20 = x4[(((at1 * 120u) + (at2 * 40u)) + n3)];
    let lse = vec4<f32>(v17, v18, v19, v20);
    let v21 = x5[(((at1 * 120u) + (at2 * 40u)) + n0)];
    let v22 = x5[(((at1 * 120u) + (at2 * 40u)) + n1)];
    let v23 = x5[(((at1 * 120u) + (at2 * 40u)) + n2)];
    let v24 = x5[(((at1 * 120u) + (at2 * 40u)) + n3)];
    let delta = vec4<f32>(v21, v22, v23, v24);
    s0 = select(vec4<f32>(), weight_v4(s0 * 0.25f - lse), (at + 0u >= vec4<u32>(first + 0u)) & (at < vec4<u32>(40u)));
    g0 = s0 * (g0 - delta) * 0.25f;
    s1 = select(vec4<f32>(), weight_v4(s1 * 0.25f - lse), (at + 0u >= vec4<u32>(first + 1u)) & (at < vec4<u32>(40u)));
    g1 = s1 * (g1 - delta) * 0.25f;
    s2 = select(vec4<f32>(), weight_v4(s2 * 0.25f - lse), (at + 0u >= vec4<u32>(first + 2u)) & (at < vec4<u32>(40u)));
    g2 = s2 * (g2 - delta) * 0.25f;
    s3 = select(vec4<f32>(), weight_v4(s3 * 0.25f - lse), (at + 0u >= vec4<u32>(first + 3u)) & (at < vec4<u32>(40u)));
    g3 = s3 * (g3 - delta) * 0.25f;
    s4 = select(vec4<f32>(), weight_v4(s4 * 0.25f - lse), (at + 0u >= vec4<u32>(first + 4u)) & (at < vec4<u32>(40u)));
    g4 = s4 * (g4 - delta) * 0.25f;
    s5 = select(vec4<f32>(), weight_v4(s5 * 0.25f - lse), (at + 0u >= vec4<u32>(first + 5u)) & (at < vec4<u32>(40u)));
    g5 = s5 * (g5 - delta) * 0.25f;
    s6 = select(vec4<f32>(), weight_v4(s6 * 0.25f - lse), (at + 0u >= vec4<u32>(first + 6u)) & (at < vec4<u32>(40u)));
    g6 = s6 * (g6 - delta) * 0.25f;
    s7 = select(vec4<f32>(), weight_v4(s7 * 0.25f - lse), (at + 0u >= vec4<u32>(first + 7u)) & (at < vec4<u32>(40u)));
    g7 = s7 * (g7 - delta) * 0.25f;
    s8 = select(vec4<f32>(), weight_v4(s8 * 0.25f - lse), (at + 0u >= vec4<u32>(first + 8u)) & (at < vec4<u32>(40u)));
    g8 = s8 * (g8 - delta) * 0.25f;
    s9 = select(vec4<f32>(), weight_v4(s9 * 0.25f - lse), (at + 0u >= vec4<u32>(first + 9u)) & (at < vec4<u32>(40u)));
    g9 = s9 * (g9 - delta) * 0.25f;
    s10 = select(vec4<f32>(), weight_v4(s10 * 0.25f - lse), (at + 0u >= vec4<u32>(first + 10u)) & (at < vec4<u32>(40u)));
    g10 = s10 * (g10 - delta) * 0.25f;
    s11 = select(vec4<f32>(), weight_v4(s11 * 0.25f - lse), (at + 0u >= vec4<u32>(first + 11u)) & (at < vec4<u32>(40u)));
    g11 = s11 * (g11 - delta) * 0.25f;
    s12 = select(vec4<f32>(), weight_v4(s12 * 0.25f - lse), (at + 0u >= vec4<u32>(first + 12u)) & (at < vec4<u32>(40u)));
    g12 = s12 * (g12 - delta) * 0.25f;
    s13 = select(vec4<f32>(), weight_v4(s13 * 0.25f - lse), (at + 0u >= vec4<u32>(first + 13u)) & (at < vec4<u32>(40u)));
    g13 = s13 * (g13 - delta) * 0.25f;
    // Sums of the weighted rows of the other side: four columns at a time, those in the x of the first four lanes.
    // Then the weights move on: y, z and w to x, and after these the x of the next four lanes, so that the code is short.
    for (var j = next; j < min(end, next + 32u); j += 4u) {  // at most 8 turns
      let m0 = min(j + 0u, 39u);
      let m1 = min(j + 1u, 39u);
      let m2 = min(j + 2u, 39u);
      let m3 = min(j + 3u, 39u);
      let v26 = x3[((((at1 * 1920u) + (at2 * 640u)) + (m0 * 16u)) + e16_0) / 4u];
      let v27 = x3[((((at1 * 1920u) + (at2 * 640u)) + (m1 * 16u)) + e16_0) / 4u];
      let v28 = x3[((((at1 * 1920u) + (at2 * 640u)) + (m2 * 16u)) + e16_0) / 4u];
      let v29 = x3[((((at1 * 1920u) + (at2 * 640u)) + (m3 * 16u)) + e16_0) / 4u];
      {
        let x0 = subgroupBroadcast(s0.x, 0u);
        let x1 = subgroupBroadcast(s0.x, 1u);
        let x2 = subgroupBroadcast(s0.x, 2u);
        let x3 = subgroupBroadcast(s0.x, 3u);
        dv0_0 += (x0 * v26 + (x1 * v27)) + (x2 * v28 + (x3 * v29));
      }
      {
        let x0 = subgroupBroadcast(s1.x, 0u);
        let x1 = subgroupBroadcast(s1.x, 1u);
        let x2 = subgroupBroadcast(s1.x, 2u);
        let x3 = subgroupBroadcast(s1.x, 3u);
        dv1_0 += (x0 * v26 + (x1 * v27)) + (x2 * v28 + (x3 * v29));
      }
      {
        let x0 = subgroupBroadcast(s2.x, 0u);
        let x1 = subgroupBroadcast(s2.x, 1u);
        let x2 = subgroupBroadcast(s2.x, 2u);
        let x3 = subgroupBroadcast(s2.x, 3u);
        dv2_0 += (x0 * v26 + (x1 * v27)) + (x2 * v28 + (x3 * v29));
      }
      {
        let x0 = subgroupBroadcast(s3.x, 0u);
        let x1 = subgroupBroadcast(s3.x, 1u);
        let x2 = subgroupBroadcast(s3.x, 2u);
        let x3 = subgroupBroadcast(s3.x, 3u);
        dv3_0 += (x0 * v26 + (x1 * v27)) + (x2 * v28 + (x3 * v29));
      }
      {
        let x0 = subgroupBroadcast(s4.x, 0u);
        let x1 = subgroupBroadcast(s4.x, 1u);
        let x2 = subgroupBroadcast(s4.x, 2u);
        let x3 = subgroupBroadcast(s4.x, 3u);
        dv4_0 += (x0 * v26 + (x1 * v27)) + (x2 * v28 + (x3 * v29));
      }
      {
        let x0 = subgroupBroadcast(s5.x, 0u);
        let x1 = subgroupBroadcast(s5.x, 1u);
        let x2 = subgroupBroadcast(s5.x, 2u);
        let x3 = subgroupBroadcast(s5.x, 3u);
        dv5_0 += (x0 * v26 + (x1 * v27)) + (x2 * v28 + (x3 * v29));
      }
      {
        let x0 = subgroupBroadcast(s6.x, 0u);
        let x1 = subgroupBroadcast(s6.x, 1u);
        let x2 = subgroupBroadcast(s6.x, 2u);
        let x3 = subgroupBroadcast(s6.x, 3u);
        dv6_0 += (x0 * v26 + (x1 * v27)) + (x2 * v28 + (x3 * v29));
      }
      {
        let x0 = subgroupBroadcast(s7.x, 0u);
        let x1 = subgroupBroadcast(s7.x, 1u);
        let x2 = subgroupBroadcast(s7.x, 2u);
        let x3 = subgroupBroadcast(s7.x, 3u);
        dv7_0 += (x0 * v26 + (x1 * v27)) + (x2 * v28 + (x3 * v29));
      }
      {
        let x0 = subgroupBroadcast(s8.x, 0u);
        let x1 = subgroupBroadcast(s8.x, 1u);
        let x2 = subgroupBroadcast(s8.x, 2u);
        let x3 = subgroupBroadcast(s8.x, 3u);
        dv8_0 += (x0 * v26 + (x1 * v27)) + (x2 * v28 + (x3 * v29));
      }
      {
        let x0 = subgroupBroadcast(s9.x, 0u);
        let x1 = subgroupBroadcast(s9.x, 1u);
        let x2 = subgroupBroadcast(s9.x, 2u);
        let x3 = subgroupBroadcast(s9.x, 3u);
        dv9_0 += (x0 * v26 + (x1 * v27)) + (x2 * v28 + (x3 * v29));
      }
      {
        let x0 = subgroupBroadcast(s10.x, 0u);
        let x1 = subgroupBroadcast(s10.x, 1u);
        let x2 = subgroupBroadcast(s10.x, 2u);
        let x3 = subgroupBroadcast(s10.x, 3u);
        dv10_0 += (x0 * v26 + (x1 * v27)) + (x2 * v28 + (x3 * v29));
      }
      {
        let x0 = subgroupBroadcast(s11.x, 0u);
        let x1 = subgroupBroadcast(s11.x, 1u);
        let x2 = subgroupBroadcast(s11.x, 2u);
        let x3 = subgroupBroadcast(s11.x, 3u);
        dv11_0 += (x0 * v26 + (x1 * v27)) + (x2 * v28 + (x3 * v29));
      }
      {
        let x0 = subgroupBroadcast(s12.x, 0u);
        let x1 = subgroupBroadcast(s12.x, 1u);
        let x2 = subgroupBroadcast(s12.x, 2u);
        let x3 = subgroupBroadcast(s12.x, 3u);
        dv12_0 += (x0 * v26 + (x1 * v27)) + (x2 * v28 + (x3 * v29));
      }
      {
        let x0 = subgroupBroadcast(s13.x, 0u);
        let x1 = subgroupBroadcast(s13.x, 1u);
        let x2 = subgroupBroadcast(s13.x, 2u);
        let x3 = subgroupBroadcast(s13.x, 3u);
        dv13_0 += (x0 * v26 + (x1 * v27)) + (x2 * v28 + (x3 * v29));
      }
      let v30 = x1[((((at1 * 1920u) + (at2 * 640u)) + (m0 * 16u)) + e16_0) / 4u];
      let v31 = x1[((((at1 * 1920u) + (at2 * 640u)) + (m1 * 16u)) + e16_0) / 4u];
      let v32 = x1[((((at1 * 1920u) + (at2 * 640u)) + (m2 * 16u)) + e16_0) / 4u];
      let v33 = x1[((((at1 * 1920u) + (at2 * 640u)) + (m3 * 16u)) + e16_0) / 4u];
      {
        let x0 = subgroupBroadcast(g0.x, 0u);
        let x1 = subgroupBroadcast(g0.x, 1u);
        let x2 = subgroupBroadcast(g0.x, 2u);
        let x3 = subgroupBroadcast(g0.x, 3u);
        dk0_0 += (x0 * v30 + (x1 * v31)) + (x2 * v32 + (x3 * v33));
      }
      {
        let x0 = subgroupBroadcast(g1.x, 0u);
        let x1 = subgroupBroadcast(g1.x, 1u);
        let x2 = subgroupBroadcast(g1.x, 2u);
        let x3 = subgroupBroadcast(g1.x, 3u);
        dk1_0 += (x0 * v30 + (x1 * v31)) + (x2 * v32 + (x3 * v33));
      }
      {
        let x0 = subgroupBroadcast(g2.x, 0u);
        let x1 = subgroupBroadcast(g2.x, 1u);
        let x2 = subgroupBroadcast(g2.x, 2u);
        let x3 = subgroupBroadcast(g2.x, 3u);
        dk2_0 += (x0 * v30 + (x1 * v31)) + (x2 * v32 + (x3 * v33));
      }
      {
        let x0 = subgroupBroadcast(g3.x, 0u);
        let x1 = subgroupBroadcast(g3.x, 1u);
        let x2 = subgroupBroadcast(g3.x, 2u);
        let x3 = subgroupBroadcast(g3.x, 3u);
        dk3_0 += (x0 * v30 + (x1 * v31)) + (x2 * v32 + (x3 * v33));
      }
      {
        let x0 = subgroupBroadcast(g4.x, 0u);
        let x1 = subgroupBroadcast(g4.x, 1u);
        let x2 = subgroupBroadcast(g4.x, 2u);
        let x3 = subgroupBroadcast(g4.x, 3u);
        dk4_0 += (x0 * v30 + (x1 * v31)) + (x2 * v32 + (x3 * v33));
      }
      {
        let x0 = subgroupBroadcast(g5.x, 0u);
        let x1 = subgroupBroadcast(g5.x, 1u);
        let x2 = subgroupBroadcast(g5.x, 2u);
        let x3 = subgroupBroadcast(g5.x, 3u);
        dk5_0 += (x0 * v30 + (x1 * v31)) + (x2 * v32 + (x3 * v33));
      }
      {
        let x0 = subgroupBroadcast(g6.x, 0u);
        let x1 = subgroupBroadcast(g6.x, 1u);
        let x2 = subgroupBroadcast(g6.x, 2u);
        let x3 = subgroupBroadcast(g6.x, 3u);
        dk6_0 += (x0 * v30 + (x1 * v31)) + (x2 * v32 + (x3 * v33));
      }
      {
        let x0 = subgroupBroadcast(g7.x, 0u);
        let x1 = subgroupBroadcast(g7.x, 1u);
        let x2 = subgroupBroadcast(g7.x, 2u);
        let x3 = subgroupBroadcast(g7.x, 3u);
        dk7_0 += (x0 * v30 + (x1 * v31)) + (x2 * v32 + (x3 * v33));
      }
      {
        let x0 = subgroupBroadcast(g8.x, 0u);
        let x1 = subgroupBroadcast(g8.x, 1u);
        let x2 = subgroupBroadcast(g8.x, 2u);
        let x3 = subgroupBroadcast(g8.x, 3u);
        dk8_0 += (x0 * v30 + (x1 * v31)) + (x2 * v32 + (x3 * v33));
      }
      {
        let x0 = subgroupBroadcast(g9.x, 0u);
        let x1 = subgroupBroadcast(g9.x, 1u);
        let x2 = subgroupBroadcast(g9.x, 2u);
        let x3 = subgroupBroadcast(g9.x, 3u);
        dk9_0 += (x0 * v30 + (x1 * v31)) + (x2 * v32 + (x3 * v33));
      }
      {
        let x0 = subgroupBroadcast(g10.x, 0u);
        let x1 = subgroupBroadcast(g10.x, 1u);
        let x2 = subgroupBroadcast(g10.x, 2u);
        let x3 = subgroupBroadcast(g10.x, 3u);
        dk10_0 += (x0 * v30 + (x1 * v31)) + (x2 * v32 + (x3 * v33));
      }
      {
        let x0 = subgroupBroadcast(g11.x, 0u);
        let x1 = subgroupBroadcast(g11.x, 1u);
        let x2 = subgroupBroadcast(g11.x, 2u);
        let x3 = subgroupBroadcast(g11.x, 3u);
        dk11_0 += (x0 * v30 + (x1 * v31)) + (x2 * v32 + (x3 * v33));
      }
      {
        let x0 = subgroupBroadcast(g12.x, 0u);
        let x1 = subgroupBroadcast(g12.x, 1u);
        let x2 = subgroupBroadcast(g12.x, 2u);
        let x3 = subgroupBroadcast(g12.x, 3u);
        dk12_0 += (x0 * v30 + (x1 * v31)) + (x2 * v32 + (x3 * v33));
      }
      {
        let x0 = subgroupBroadcast(g13.x, 0u);
        let x1 = subgroupBroadcast(g13.x, 1u);
        let x2 = subgroupBroadcast(g13.x, 2u);
        let x3 = subgroupBroadcast(g13.x, 3u);
        dk13_0 += (x0 * v30 + (x1 * v31)) + (x2 * v32 + (x3 * v33));
      }
      s0 = vec4<f32>(s0.yzw, subgroupShuffle(s0.x, four_on));
      s1 = vec4<f32>(s1.yzw, subgroupShuffle(s1.x, four_on));
      s2 = vec4<f32>(s2.yzw, subgroupShuffle(s2.x, four_on));
      s3 = vec4<f32>(s3.yzw, subgroupShuffle(s3.x, four_on));
      s4 = vec4<f32>(s4.yzw, subgroupShuffle(s4.x, four_on));
      s5 = vec4<f32>(s5.yzw, subgroupShuffle(s5.x, four_on));
      s6 = vec4<f32>(s6.yzw, subgroupShuffle(s6.x, four_on));
      s7 = vec4<f32>(s7.yzw, subgroupShuffle(s7.x, four_on));
      s8 = vec4<f32>(s8.yzw, subgroupShuffle(s8.x, four_on));
      s9 = vec4<f32>(s9.yzw, subgroupShuffle(s9.x, four_on));
      s10 = vec4<f32>(s10.yzw, subgroupShuffle(s10.x, four_on));
      s11 = vec4<f32>(s11.yzw, subgroupShuffle(s11.x, four_on));
      s12 = vec4<f32>(s12.yzw, subgroupShuffle(s12.x, four_on));
      s13 = vec4<f32>(s13.yzw, subgroupShuffle(s13.x, four_on));
      g0 = vec4<f32>(g0.yzw, subgroupShuffle(g0.x, four_on));
      g1 = vec4<f32>(g1.yzw, subgroupShuffle(g1.x, four_on));
      g2 = vec4<f32>(g2.yzw, subgroupShuffle(g2.x, four_on));
      g3 = vec4<f32>(g3.yzw, subgroupShuffle(g3.x, four_on));
      g4 = vec4<f32>(g4.yzw, subgroupShuffle(g4.x, four_on));
      g5 = vec4<f32>(g5.yzw, subgroupShuffle(g5.x, four_on));
      g6 = vec4<f32>(g6.yzw, subgroupShuffle(g6.x, four_on));
      g7 = vec4<f32>(g7.yzw, subgroupShuffle(g7.x, four_on));
      g8 = vec4<f32>(g8.yzw, subgroupShuffle(g8.x, four_on));
      g9 = vec4<f32>(g9.yzw, subgroupShuffle(g9.x, four_on));
      g10 = vec4<f32>(g10.yzw, subgroupShuffle(g10.x, four_on));
      g11 = vec4<f32>(g11.yzw, subgroupShuffle(g11.x, four_on));
      g12 = vec4<f32>(g12.yzw, subgroupShuffle(g12.x, four_on));
      g13 = vec4<f32>(g13.yzw, subgroupShuffle(g13.x, four_on));
    }
  }
  if (first + 0u < 40u && (lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 0u) * 16u)) + e16_0) / 4u] = dv0_0;
  }
  if (first + 1u < 40u && (lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 1u) * 16u)) + e16_0) / 4u] = dv1_0;
  }
  if (first + 2u < 40u && (lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 2u) * 16u)) + e16_0) / 4u] = dv2_0;
  }
  if (first + 3u < 40u && (lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 3u) * 16u)) + e16_0) / 4u] = dv3_0;
  }
  if (first + 4u < 40u && (lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 4u) * 16u)) + e16_0) / 4u] = dv4_0;
  }
  if (first + 5u < 40u && (lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 5u) * 16u)) + e16_0) / 4u] = dv5_0;
  }
  if (first + 6u < 40u && (lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 6u) * 16u)) + e16_0) / 4u] = dv6_0;
  }
  if (first + 7u < 40u && (lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 7u) * 16u)) + e16_0) / 4u] = dv7_0;
  }
  if (first + 8u < 40u && (lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 8u) * 16u)) + e16_0) / 4u] = dv8_0;
  }
  if (first + 9u < 40u && (lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 9u) * 16u)) + e16_0) / 4u] = dv9_0;
  }
  if (first + 10u < 40u && (lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 10u) * 16u)) + e16_0) / 4u] = dv10_0;
  }
  if (first + 11u < 40u && (lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 11u) * 16u)) + e16_0) / 4u] = dv11_0;
  }
  if (first + 12u < 40u && (lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 12u) * 16u)) + e16_0) / 4u] = dv12_0;
  }
  if (first + 13u < 40u && (lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 13u) * 16u)) + e16_0) / 4u] = dv13_0;
  }
  if (first + 0u < 40u && (lane + 0u) * 4u < 16u) {
    y1[((((at1 * 1920u) + (at2 * 640u)) + ((first + 0u) * 16u)) + e16_0) / 4u] = dk0_0;
  }
  if (first + 1u < 40u && (lane + 0u) * 4u < 16u) {
    y1[((((at1 * 1920u) + (at2 * 640u)) + ((first + 1u) * 16u)) + e16_0) / 4u] = dk1_0;
  }
  if (first + 2u < 40u && (lane + 0u) * 4u < 16u) {
    y1[((((at1 * 1920u) + (at2 * 640u)) + ((first + 2u) * 16u)) + e16_0) / 4u] = dk2_0;
  }
  if (first + 3u < 40u && (lane + 0u) * 4u < 16u) {
    y1[((((at1 * 1920u) + (at2 * 640u)) + ((first + 3u) * 16u)) + e16_0) / 4u] = dk3_0;
  }
  if (first + 4u < 40u && (lane + 0u) * 4u < 16u) {
    y1[((((at1 * 1920u) + (at2 * 640u)) + ((first + 4u) * 16u)) + e16_0) / 4u] = dk4_0;
  }
  if (first + 5u < 40u && (lane + 0u) * 4u < 16u) {
    y1[((((at1 * 1920u) + (at2 * 640u)) + ((first + 5u) * 16u)) + e16_0) / 4u] = dk5_0;
  }
  if (first + 6u < 40u && (lane + 0u) * 4u < 16u) {
    y1[((((at1 * 1920u) + (at2 * 640u)) + ((first + 6u) * 16u)) + e16_0) / 4u] = dk6_0;
  }
  if (first + 7u < 40u && (lane + 0u) * 4u < 16u) {
    y1[((((at1 * 1920u) + (at2 * 640u)) + ((first + 7u) * 16u)) + e16_0) / 4u] = dk7_0;
  }
  if (first + 8u < 40u && (lane + 0u) * 4u < 16u) {
    y1[((((at1 * 1920u) + (at2 * 640u)) + ((first + 8u) * 16u)) + e16_0) / 4u] = dk8_0;
  }
  if (first + 9u < 40u && (lane + 0u) * 4u < 16u) {
    y1[((((at1 * 1920u) + (at2 * 640u)) + ((first + 9u) * 16u)) + e16_0) / 4u] = dk9_0;
  }
  if (first + 10u < 40u && (lane + 0u) * 4u < 16u) {
    y1[((((at1 * 1920u) + (at2 * 640u)) + ((first + 10u) * 16u)) + e16_0) / 4u] = dk10_0;
  }
  if (first + 11u < 40u && (lane + 0u) * 4u < 16u) {
    y1[((((at1 * 1920u) + (at2 * 640u)) + ((first + 11u) * 16u)) + e16_0) / 4u] = dk11_0;
  }
  if (first + 12u < 40u && (lane + 0u) * 4u < 16u) {
    y1[((((at1 * 1920u) + (at2 * 640u)) + ((first + 12u) * 16u)) + e16_0) / 4u] = dk12_0;
  }
  if (first + 13u < 40u && (lane + 0u) * 4u < 16u) {
    y1[((((at1 * 1920u) + (at2 * 640u)) + ((first + 13u) * 16u)) + e16_0) / 4u] = dk13_0;
  }
}
