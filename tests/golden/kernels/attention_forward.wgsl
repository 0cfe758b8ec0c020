// attention_forward: workgroups [(12, 1, 1)], binds read, read, read, read_write, needs subgroup
@group(0) @binding(0) var<storage, read> x0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> x1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> x2: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y0: array<vec4<f32>>;

fn gc_unknown() -> u32 {
  return select(0u, 1u, arrayLength(&x0) == 0u);
}
fn gc_hold_v4(x: vec4<f32>) -> vec4<f32> {
  return bitcast<vec4<f32>>(bitcast<vec4<u32>>(x) + vec4<u32>(gc_unknown()));
}
fn gc_isnan_v4(x: vec4<f32>) -> vec4<bool> {
  return (bitcast<vec4<u32>>(x) & vec4<u32>(0x7fffffffu)) > vec4<u32>(0x7f800000u);
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
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 0u) * 16u)) + e16_0) / 4u] = o0_0 * part0;
  }
  if ((lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 1u) * 16u)) + e16_0) / 4u] = o1_0 * part1;
  }
  if ((lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 2u) * 16u)) + e16_0) / 4u] = o2_0 * part2;
  }
  if ((lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 3u) * 16u)) + e16_0) / 4u] = o3_0 * part3;
  }
  if ((lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 4u) * 16u)) + e16_0) / 4u] = o4_0 * part4;
  }
  if ((lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 5u) * 16u)) + e16_0) / 4u] = o5_0 * part5;
  }
  if ((lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 6u) * 16u)) + e16_0) / 4u] = o6_0 * part6;
  }
  if ((lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 7u) * 16u)) + e16_0) / 4u] = o7_0 * part7;
  }
  if ((lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 8u) * 16u)) + e16_0) / 4u] = o8_0 * part8;
  }
  if ((lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 9u) * 16u)) + e16_0) / 4u] = o9_0 * part9;
  }
  if ((lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 10u) * 16u)) + e16_0) / 4u] = o10_0 * part10;
  }
  if ((lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 11u) * 16u)) + e16_0) / 4u] = o11_0 * part11;
  }
  if ((lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 12u) * 16u)) + e16_0) / 4u] = o12_0 * part12;
  }
  if ((lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 13u) * 16u)) + e16_0) / 4u] = o13_0 * part13;
  }
  if ((lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 14u) * 16u)) + e16_0) / 4u] = o14_0 * part14;
  }
  if ((lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 15u) * 16u)) + e16_0) / 4u] = o15_0 * part15;
  }
  if ((lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 16u) * 16u)) + e16_0) / 4u] = o16_0 * part16;
  }
  if ((lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 17u) * 16u)) + e16_0) / 4u] = o17_0 * part17;
  }
  if ((lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 18u) * 16u)) + e16_0) / 4u] = o18_0 * part18;
  }
  if ((lane + 0u) * 4u < 16u) {
    y0[((((at1 * 1920u) + (at2 * 640u)) + ((first + 19u) * 16u)) + e16_0) / 4u] = o19_0 * part19;
  }
}
