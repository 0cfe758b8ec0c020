// map_tril_add: workgroups [(1, 1, 1)], binds read, read_write
@group(0) @binding(0) var<storage, read> x0: array<f32>;
@group(0) @binding(1) var<storage, read_write> y0: array<vec4<f32>>;

fn gc_unknown() -> u32 {
  return select(0u, 1u, arrayLength(&x0) == 0u);
}
fn gc_hold(x: f32) -> f32 {
  return bitcast<f32>(bitcast<u32>(x) + u32(gc_unknown()));
}
fn gc_hold_v4(x: vec4<f32>) -> vec4<f32> {
  return bitcast<vec4<f32>>(bitcast<vec4<u32>>(x) + vec4<u32>(gc_unknown()));
}

// map: each output element is computed from the inputs on its own; tril_add
// grid: ceil(items / (64 x 1)) workgroups, folded into y; an item is 4 consecutive element(s)
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let first = (group.x + group.y * 1u) * 64u + local;
  for (var step = 0u; step < 1u; step++) {
    let i = first + step * 64u;
    if (i >= 13u) { return; }
    let v1 = (((((i * 4u) + vec4<u32>(0u, 1u, 2u, 3u)) / 7u) % 7u) >= (((i * 4u) + vec4<u32>(0u, 1u, 2u, 3u)) % 7u));
    let at2 = ((((i * 4u) + vec4<u32>(0u, 1u, 2u, 3u)) / 7u) % 7u);
    let at3 = (((i * 4u) + vec4<u32>(0u, 1u, 2u, 3u)) % 7u);
    let at4 = (i * 4u);
    let v5 = vec4<f32>(x0[at4], x0[at4 + 1u], x0[at4 + 2u], x0[at4 + 3u]);
    let v6 = gc_hold(0.0f);
    let v7 = select(vec4<f32>(v6), v5, v1);
    let v8 = (at3 >= (at2 + 1u));
    let v9 = vec4<f32>(x0[((at3 * 7u) + at2).x], x0[((at3 * 7u) + at2).y], x0[((at3 * 7u) + at2).z], x0[((at3 * 7u) + at2).w]);
    let v10 = select(vec4<f32>(v6), v9, v8);
    let v11 = gc_hold_v4(v10);
    let v12 = (v7 + v11);
    y0[i] = v12;
  }
}

// factor_scale: workgroups [(1, 1, 1)], binds read_write, read_write
@group(0) @binding(0) var<storage, read_write> x0: array<f32>;
@group(0) @binding(1) var<storage, read_write> y0: array<u32>;

// factor_scale: the exponent, in its bits, of the largest of the 49 elements of each lower triangle
// grid: a workgroup for each lower triangle, 1 of them, folded into y
var<workgroup> found: array<u32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = group.x + group.y * 1u;
  if (item >= 1u) { return; }
  var most = 0u;
  for (var e = local; e < 49u; e += 64u) {  // at most 1 turns
    let element = select(f32(0.0), x0[item * 49u + e], e % 7u <= e / 7u);
    most = max(most, (bitcast<u32>(element) >> 23u) & 0xffu);
  }
  found[local] = most;
  for (var half = 64u / 2u; half > 0u; half /= 2u) {  // at most 6 turns
    workgroupBarrier();
    if (local < half) { found[local] = max(found[local], found[local + half]); }
  }
  workgroupBarrier();
  if (local == 0u) { y0[item] = clamp(found[0], 1u, 253u); }
}

// factor_fill: workgroups [(2, 1, 1)], binds read_write, read_write, read_write
@group(0) @binding(0) var<storage, read_write> x0: array<f32>;
@group(0) @binding(1) var<storage, read_write> x1: array<u32>;
@group(0) @binding(2) var<storage, read_write> y0: array<f32>;

// factor_fill: rows beside the identity, matrices of 7 rows and 14 columns, element by element
// grid: ceil(98 / 64) workgroups, folded into y; an item is an element
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * 2u) * 64u + local;
  if (item >= 98u) { return; }
  let column = item % 14u;
  let row = item / 14u % 7u;
  let matrix = item / 98u;
  var element = select(f32(0.0), f32(1.0), column == row + 7u);
  if (column < 7u) { element = x0[matrix * 49u + (max(row, column)) * 7u + min(row, column)] * bitcast<f32>((254u - x1[matrix]) << 23u); }
  y0[matrix * 98u + (row) * 14u + column] = element;
}

// factor_jacobi: workgroups [(1, 1, 1)], binds read_write
@group(0) @binding(0) var<storage, read_write> y0: array<f32>;

fn gc_isnan(x: f32) -> bool {
  return (bitcast<u32>(x) & u32(0x7fffffffu)) > u32(0x7f800000u);
}

// factor_jacobi: rounds of rotations of pairs of rows, 4 pairs at once: from both sides, until all but the diagonal is 0
// grid: a workgroup for each of 1 matrices of 7 rows of 14 elements, folded into y
var<workgroup> turned: array<vec2<f32>, 4>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let matrix = group.x + group.y * 1u;
  if (matrix >= 1u) { return; }
  let first = 0u;
  for (var r = 0u; r < 56u; r++) {
    let round = (first + r) % 7u;
    for (var pair = local; pair < 4u; pair += 64u) {  // at most 1 turns
      let both = pair_of(round, pair);
      if (both.y < 7u) { turned[pair] = rotation(y0[matrix * 98u + (both.x) * 14u + both.x], y0[matrix * 98u + (both.y) * 14u + both.y], y0[matrix * 98u + (both.x) * 14u + both.y]); }
    }
    workgroupBarrier();
    storageBarrier();
    for (var e = local; e < 56u; e += 64u) {  // at most 1 turns
      let both = pair_of(round, e / 14u);
      let column = e % 14u;
      let turn = turned[e / 14u];
      if ((both.y < 7u) & ((bitcast<u32>(turn.x) & 0x7fffffffu) != 0u)) {
        let p = y0[matrix * 98u + (both.x) * 14u + column];
        let q = y0[matrix * 98u + (both.y) * 14u + column];
        y0[matrix * 98u + (both.x) * 14u + column] = p - turn.x * (q + turn.y * p);
        y0[matrix * 98u + (both.y) * 14u + column] = q + turn.x * (p - turn.y * q);
      }
    }
    storageBarrier();
    for (var e = local; e < 4u * 7u; e += 64u) {  // at most 1 turns
      let both = pair_of(round, e % 4u);
      let turn = turned[e % 4u];
      if ((both.y < 7u) & ((bitcast<u32>(turn.x) & 0x7fffffffu) != 0u)) {
        let p = y0[matrix * 98u + (e / 4u) * 14u + both.x];
        let q = y0[matrix * 98u + (e / 4u) * 14u + both.y];
        y0[matrix * 98u + (e / 4u) * 14u + both.x] = p - turn.x * (q + turn.y * p);
        y0[matrix * 98u + (e / 4u) * 14u + both.y] = q + turn.x * (p - turn.y * q);
      }
    }
    storageBarrier();
  }

}

// The two rows that meet in a round: all others go round in a circle, past the last one.
fn pair_of(round: u32, pair: u32) -> vec2<u32> {
  let one = select((round + pair) % 7u, 7u, pair == 0u);
  let other = (round + 7u - pair) % 7u;
  return vec2<u32>(min(one, other), max(one, other));
}

// The sine of the angle that makes the product of two rows vanish, and the tangent of its half, from their squares and
// their product: with these a row becomes itself and a small part of both, which loses least.
fn rotation(pp: f32, qq: f32, pq: f32) -> vec2<f32> {
  let size = abs(pq);
  if (gc_isnan(pq)) { return vec2<f32>(pq, pq); }
  if ((size <= f32(3e-8) * sqrt(abs(pp)) * sqrt(abs(qq))) | (size <= f32(1e-18) * (abs(pp) + abs(qq)))) {
    return vec2<f32>();
  }
  let ratio = (qq - pp) / (f32(2.0) * pq);
  let part = f32(1.0) / (abs(ratio) + sqrt(f32(1.0) + ratio * ratio));
  let tangent = select(part, -part, ratio < f32(0.0));
  let half = tangent / (f32(1.0) + sqrt(f32(1.0) + tangent * tangent));
  return vec2<f32>(f32(2.0) * half / (f32(1.0) + half * half), half);
}

// factor_order: workgroups [(1, 1, 1)], binds read_write, read_write, read_write, read_write
@group(0) @binding(0) var<storage, read_write> x0: array<f32>;
@group(0) @binding(1) var<storage, read_write> x1: array<u32>;
@group(0) @binding(2) var<storage, read_write> y0: array<f32>;
@group(0) @binding(3) var<storage, read_write> y1: array<f32>;

// factor_order: what was found of 7 rows of each matrix, in order, with vectors whose largest element is positive
// grid: ceil(7 / 64) workgroups, folded into y; an item is a row
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * 1u) * 64u + local;
  if (item >= 7u) { return; }
  let matrix = item / 7u;
  let row = item % 7u;
  let own = key_of(matrix * 98u + (row) * 14u + row);
  var rank = 0u;
  var most = f32(-1.0);
  var sign = f32(1.0);
  for (var k = 0u; k < 7u; k++) {
    let known = key_of(matrix * 98u + (k) * 14u + k);
    rank += u32((known < own) | ((known == own) & (k < row)));
    let element = x0[matrix * 98u + (row) * 14u + 7u + k];
    if (abs(element) > most) {
      most = abs(element);
      sign = select(f32(1.0), f32(-1.0), element < f32(0.0));
    }
  }
  let value = x0[matrix * 98u + (row) * 14u + row];
  y1[matrix * 7u + rank] = value * bitcast<f32>(x1[matrix] << 23u);
  for (var k = 0u; k < 7u; k++) {
    let element = x0[matrix * 98u + (row) * 14u + 7u + k];
    y0[matrix * 49u + (k) * 7u + rank] = sign * element;
  }

}

fn key_of(at: u32) -> i32 {
  let bits = bitcast<i32>(f32(x0[at]));
  return select(select(bits, -(bits & 0x7fffffff), bits < 0), 0x7fffffff, (bits & 0x7fffffff) > 0x7f800000);
}
