// factor_scale: workgroups [(1, 1, 1)], binds read, read_write
@group(0) @binding(0) var<storage, read> x0: array<f32>;
@group(0) @binding(1) var<storage, read_write> y0: array<u32>;

// factor_scale: the exponent, in its bits, of the largest of the 35 elements of each matrix
// grid: a workgroup for each matrix, 1 of them, folded into y
var<workgroup> found: array<u32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = group.x + group.y * 1u;
  if (item >= 1u) { return; }
  var most = 0u;
  for (var e = local; e < 35u; e += 64u) {  // at most 1 turns
    let element = x0[item * 35u + e];
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

// factor_fill: workgroups [(1, 1, 1)], binds read, read_write, read_write
@group(0) @binding(0) var<storage, read> x0: array<f32>;
@group(0) @binding(1) var<storage, read_write> x1: array<u32>;
@group(0) @binding(2) var<storage, read_write> y0: array<f32>;

// factor_fill: rows beside the identity, matrices of 5 rows and 12 columns, element by element
// grid: ceil(60 / 64) workgroups, folded into y; an item is an element
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * 1u) * 64u + local;
  if (item >= 60u) { return; }
  let column = item % 12u;
  let row = item / 12u % 5u;
  let matrix = item / 60u;
  var element = select(f32(0.0), f32(1.0), column == row + 7u);
  if (column < 7u) { element = x0[matrix * 35u + (column) * 5u + row] * bitcast<f32>((254u - x1[matrix]) << 23u); }
  y0[matrix * 60u + (row) * 12u + column] = element;
}

// factor_jacobi: workgroups [(1, 1, 1)], binds read_write
@group(0) @binding(0) var<storage, read_write> y0: array<f32>;

fn gc_isnan(x: f32) -> bool {
  return (bitcast<u32>(x) & u32(0x7fffffffu)) > u32(0x7f800000u);
}

// factor_jacobi: rounds of rotations of pairs of rows, 3 pairs at once: until all are orthogonal
// grid: a workgroup for each of 1 matrices of 5 rows of 12 elements, folded into y
var<workgroup> turned: array<vec2<f32>, 3>;
var<workgroup> sums: array<vec3<f32>, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let matrix = group.x + group.y * 1u;
  if (matrix >= 1u) { return; }
  let first = 0u;
  for (var r = 0u; r < 40u; r++) {
    let round = (first + r) % 5u;
    for (var chunk = 0u; chunk < 1u; chunk++) {
      let pair = chunk * 4u + local / 16u;
      let lane = local % 16u;
      let both = pair_of(round, min(pair, 3u - 1u));
      let there = (pair < 3u) & (both.y < 5u);
      var own = vec3<f32>();
      if (there) {
        for (var column = lane; column < 7u; column += 16u) {  // at most 1 turns
          let p = y0[matrix * 60u + (both.x) * 12u + column];
          let q = y0[matrix * 60u + (both.y) * 12u + column];
          own += vec3<f32>(p * p, q * q, p * q);
        }
      }
      sums[local] = own;
      workgroupBarrier();
      if (there & (lane == 0u)) {
        for (var l = 1u; l < 16u; l++) { own += sums[local + l]; }
        turned[pair] = rotation(own.x, own.y, own.z);
      }
      workgroupBarrier();
    }
    storageBarrier();
    for (var e = local; e < 36u; e += 64u) {  // at most 1 turns
      let both = pair_of(round, e / 12u);
      let column = e % 12u;
      let turn = turned[e / 12u];
      if ((both.y < 5u) & ((bitcast<u32>(turn.x) & 0x7fffffffu) != 0u)) {
        let p = y0[matrix * 60u + (both.x) * 12u + column];
        let q = y0[matrix * 60u + (both.y) * 12u + column];
        y0[matrix * 60u + (both.x) * 12u + column] = p - turn.x * (q + turn.y * p);
        y0[matrix * 60u + (both.y) * 12u + column] = q + turn.x * (p - turn.y * q);
      }
    }
    storageBarrier();

  }

}

// The two rows that meet in a round: all others go round in a circle, past the last one.
fn pair_of(round: u32, pair: u32) -> vec2<u32> {
  let one = select((round + pair) % 5u, 5u, pair == 0u);
  let other = (round + 5u - pair) % 5u;
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

// factor_lengths: workgroups [(1, 1, 1)], binds read_write, read_write
@group(0) @binding(0) var<storage, read_write> x0: array<f32>;
@group(0) @binding(1) var<storage, read_write> y0: array<f32>;

// factor_lengths: the length of each row of 7 elements
// grid: ceil(5 / 64) workgroups, folded into y; an item is a row
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * 1u) * 64u + local;
  if (item >= 5u) { return; }
  var total = vec3<f32>();
  for (var i = 0u; i < 7u; i++) {
    total += square_of(x0[item * 12u + i]);
  }
  y0[item] = length_of(total);
}

// factor_squares: functions for the length of vectors of any scale, of which other kernels are made
// Squares of large, middling and small elements have a sum each, in which none overflows or vanishes: large ones are
// squared times 2^-80, small ones times 2^63.

// The square of x in the part of its size: (large, middling, small).
fn square_of(x: f32) -> vec3<f32> {
  let large = abs(x) > f32(1125899906842624.0);
  let small = abs(x) < f32(8.881784197001252e-16);
  let scaled = x * select(select(f32(1.0), f32(9.223372036854776e+18), small), f32(8.271806125530277e-25), large);
  let square = scaled * scaled;
  return select(vec3<f32>(), vec3<f32>(square), vec3<bool>(large, !large & !small, small));
}

// The root of a sum of such squares.
fn length_of(total: vec3<f32>) -> f32 {
  let own = sqrt(select(total.y + total.z * f32(1.0842021724855044e-19) * f32(1.0842021724855044e-19), total.z, total.y == f32()));
  let length = own * select(f32(1.0), f32(1.0842021724855044e-19), total.y == f32());
  return select(sqrt(total.x + total.y * f32(8.271806125530277e-25) * f32(8.271806125530277e-25)) * f32(1.2089258196146292e+24), length, total.x == f32());
}

// factor_order: workgroups [(1, 1, 1)], binds read_write, read_write, read_write, read_write, read_write, read_write
@group(0) @binding(0) var<storage, read_write> x0: array<f32>;
@group(0) @binding(1) var<storage, read_write> x1: array<f32>;
@group(0) @binding(2) var<storage, read_write> x2: array<u32>;
@group(0) @binding(3) var<storage, read_write> y0: array<f32>;
@group(0) @binding(4) var<storage, read_write> y1: array<f32>;
@group(0) @binding(5) var<storage, read_write> y2: array<f32>;

// factor_order: what was found of 5 rows of each matrix, in order, with vectors whose largest element is positive
// grid: ceil(5 / 64) workgroups, folded into y; an item is a row
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * 1u) * 64u + local;
  if (item >= 5u) { return; }
  let matrix = item / 5u;
  let row = item % 5u;
  let own = key_of(item);
  var rank = 0u;
  var most = f32(-1.0);
  var sign = f32(1.0);
  for (var k = 0u; k < 5u; k++) {
    let known = key_of(matrix * 5u + k);
    rank += u32((known > own) | ((known == own) & (k < row)));
    let element = x0[matrix * 60u + (row) * 12u + 7u + k];
    if (abs(element) > most) {
      most = abs(element);
      sign = select(f32(1.0), f32(-1.0), element < f32(0.0));
    }
  }
  let value = x1[item];
  y2[matrix * 5u + rank] = value * bitcast<f32>(x2[matrix] << 23u);
  for (var k = 0u; k < 5u; k++) {
    let element = x0[matrix * 60u + (row) * 12u + 7u + k];
    y0[matrix * 25u + (rank) * 5u + k] = sign * element;
  }
  for (var k = 0u; k < 7u; k++) {
    y1[matrix * 35u + (k) * 5u + rank] = select(sign * x0[matrix * 60u + (row) * 12u + k] / value, f32(0.0), value == f32(0.0));
  }
}

fn key_of(at: u32) -> i32 {
  let bits = bitcast<i32>(f32(x1[at]));
  return select(select(bits, -(bits & 0x7fffffff), bits < 0), 0x7fffffff, (bits & 0x7fffffff) > 0x7f800000);
}

// factor_householder: workgroups [(1, 1, 1)], binds read_write, read_write
@group(0) @binding(0) var<storage, read_write> y0: array<f32>;
@group(0) @binding(1) var<storage, read_write> y1: array<f32>;

// factor_householder: columns 0 to 5 of R, and below it the vectors of the reflections that lead there
// grid: a workgroup for each of 1 matrices, folded into y
var<workgroup> parts: array<f32, 64>;
var<workgroup> squares: array<vec3<f32>, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let matrix = group.x + group.y * 1u;
  if (matrix >= 1u) { return; }
  let lane = local / 16u;
  for (var c = 0u; c < 5u; c++) {
    let j = 0u + c;
    var square = vec3<f32>();
    for (var i = j + 1u + local; i < 7u; i += 64u) {  // at most 1 turns
      square += square_of(y0[matrix * 35u + (i) * 5u + j]);
    }
    squares[local] = square;
    for (var half = 64u / 2u; half > 0u; half /= 2u) {  // at most 6 turns
      workgroupBarrier();
      if (local < half) { squares[local] += squares[local + half]; }
    }
    workgroupBarrier();
    let rest = squares[0];
    let top = y0[matrix * 35u + (j) * 5u + j];
    let length = length_of(square_of(top) + rest);
    let none = rest.x + rest.y + rest.z == f32(0.0);
    let made = select(select(-length, length, top < f32(0.0)), top, none);
    let share = select((made - top) / made, f32(0.0), none);
    let scale = select(f32(1.0) / (top - made), f32(0.0), none);
    storageBarrier();
    for (var i = j + 1u + local; i < 7u; i += 64u) {  // at most 1 turns
      let below = y0[matrix * 35u + (i) * 5u + j] * scale;
      y0[matrix * 35u + (i) * 5u + j] = below;
    }
    if (local == 0u) {
      y0[matrix * 35u + (j) * 5u + j] = made;
      y1[matrix * 5u + (0u) * 5u + j] = share;
    }
    storageBarrier();
    let k = j + 1u + local % 16u;
    var sum = f32();
    if (k < 5u) {
      for (var i = j + 1u + lane; i < 7u; i += 4u) {  // at most 2 turns
        sum += y0[matrix * 35u + (i) * 5u + j] * y0[matrix * 35u + (i) * 5u + k];
      }
    }
    parts[local] = sum;
    workgroupBarrier();
    var total = f32();
    for (var l = 0u; l < 4u; l++) { total += parts[l * 16u + local % 16u]; }
    if (k < 5u) { total = share * (total + y0[matrix * 35u + (j) * 5u + k]); }
    storageBarrier();
    if (k < 5u) {
      if (lane == 0u) { y0[matrix * 35u + (j) * 5u + k] = y0[matrix * 35u + (j) * 5u + k] - total; }
      for (var i = j + 1u + lane; i < 7u; i += 4u) {  // at most 2 turns
        y0[matrix * 35u + (i) * 5u + k] = y0[matrix * 35u + (i) * 5u + k] - total * y0[matrix * 35u + (i) * 5u + j];
      }
    }
    storageBarrier();
  }
}

// factor_squares: functions for the length of vectors of any scale, of which other kernels are made
// Squares of large, middling and small elements have a sum each, in which none overflows or vanishes: large ones are
// squared times 2^-80, small ones times 2^63.

// The square of x in the part of its size: (large, middling, small).
fn square_of(x: f32) -> vec3<f32> {
  let large = abs(x) > f32(1125899906842624.0);
  let small = abs(x) < f32(8.881784197001252e-16);
  let scaled = x * select(select(f32(1.0), f32(9.223372036854776e+18), small), f32(8.271806125530277e-25), large);
  let square = scaled * scaled;
  return select(vec3<f32>(), vec3<f32>(square), vec3<bool>(large, !large & !small, small));
}

// The root of a sum of such squares.
fn length_of(total: vec3<f32>) -> f32 {
  let own = sqrt(select(total.y + total.z * f32(1.0842021724855044e-19) * f32(1.0842021724855044e-19), total.z, total.y == f32()));
  let length = own * select(f32(1.0), f32(1.0842021724855044e-19), total.y == f32());
  return select(sqrt(total.x + total.y * f32(8.271806125530277e-25) * f32(8.271806125530277e-25)) * f32(1.2089258196146292e+24), length, total.x == f32());
}

// factor_fill_2: workgroups [(1, 1, 1)], binds read_write
@group(0) @binding(0) var<storage, read_write> y0: array<f32>;

// factor_fill: the identity, matrices of 7 rows and 5 columns, element by element
// grid: ceil(35 / 64) workgroups, folded into y; an item is an element
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * 1u) * 64u + local;
  if (item >= 35u) { return; }
  let column = item % 5u;
  let row = item / 5u % 7u;
  let matrix = item / 35u;
  y0[matrix * 35u + (row) * 5u + column] = select(f32(0.0), f32(1.0), row == column);
}

// factor_reflect: workgroups [(5, 1, 1)], binds read_write, read_write, read_write
@group(0) @binding(0) var<storage, read_write> x0: array<f32>;
@group(0) @binding(1) var<storage, read_write> x1: array<f32>;
@group(0) @binding(2) var<storage, read_write> y0: array<f32>;

// factor_reflect: 5 reflections of columns of 7 elements, in their place
// grid: a workgroup for each of 5 columns, folded into y
var<workgroup> parts: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = group.x + group.y * 5u;
  if (item >= 5u) { return; }
  let matrix = item / 5u;
  let k = 0u + item % 5u;
  for (var c = 0u; c < 5u; c++) {
    let j = 4u - c;
    var sum = f32();
    for (var i = j + 1u + local; i < 7u; i += 64u) {  // at most 1 turns
      sum += x0[matrix * 35u + (i) * 5u + j] * y0[matrix * 35u + (i) * 5u + k];
    }
    parts[local] = sum;
    for (var half = 64u / 2u; half > 0u; half /= 2u) {  // at most 6 turns
      workgroupBarrier();
      if (local < half) { parts[local] += parts[local + half]; }
    }
    workgroupBarrier();
    let total = x1[matrix * 5u + (0u) * 5u + j] * (parts[0] + y0[matrix * 35u + (j) * 5u + k]);
    storageBarrier();
    if (local == 0u) { y0[matrix * 35u + (j) * 5u + k] = y0[matrix * 35u + (j) * 5u + k] - total; }
    for (var i = j + 1u + local; i < 7u; i += 64u) {  // at most 1 turns
      y0[matrix * 35u + (i) * 5u + k] = y0[matrix * 35u + (i) * 5u + k] - total * x0[matrix * 35u + (i) * 5u + j];
    }
    storageBarrier();
  }
}

// factor_fill_3: workgroups [(1, 1, 1)], binds read_write, read_write, read_write
@group(0) @binding(0) var<storage, read_write> x0: array<f32>;
@group(0) @binding(1) var<storage, read_write> x1: array<f32>;
@group(0) @binding(2) var<storage, read_write> y0: array<f32>;

// factor_fill: the vectors with the signs that they had, matrices of 7 rows and 5 columns, element by element
// grid: ceil(35 / 64) workgroups, folded into y; an item is an element
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * 1u) * 64u + local;
  if (item >= 35u) { return; }
  let column = item % 5u;
  let row = item / 5u % 7u;
  let matrix = item / 35u;
  y0[matrix * 35u + (row) * 5u + column] = select(x1[matrix * 35u + (row) * 5u + column], -x1[matrix * 35u + (row) * 5u + column], x0[matrix * 35u + (column) * 5u + column] < f32(0.0));
}
