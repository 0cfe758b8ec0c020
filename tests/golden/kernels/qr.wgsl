// factor_scale: workgroups [(20, 1, 1)], binds read, read_write
@group(0) @binding(0) var<storage, read> x0: array<f32>;
@group(0) @binding(1) var<storage, read_write> y0: array<u32>;

// factor_scale: the exponent, in its bits, of the largest of the 40 elements of each column
// grid: a workgroup for each column, 20 of them, folded into y
var<workgroup> found: array<u32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = group.x + group.y * 20u;
  if (item >= 20u) { return; }
  var most = 0u;
  for (var e = local; e < 40u; e += 64u) {  // at most 1 turns
    let element = x0[(item / 20u * 40u + e) * 20u + item % 20u];
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

// factor_fill: workgroups [(13, 1, 1)], binds read_write, read, read_write
@group(0) @binding(0) var<storage, read_write> x0: array<u32>;
@group(0) @binding(1) var<storage, read> x1: array<f32>;
@group(0) @binding(2) var<storage, read_write> y0: array<f32>;

// factor_fill: columns divided by a power of two, matrices of 40 rows and 20 columns, element by element
// grid: ceil(800 / 64) workgroups, folded into y; an item is an element
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * 13u) * 64u + local;
  if (item >= 800u) { return; }
  let column = item % 20u;
  let row = item / 20u % 40u;
  let matrix = item / 800u;
  y0[matrix * 800u + (row) * 20u + column] = x1[matrix * 800u + (row) * 20u + column] * bitcast<f32>((254u - x0[matrix * 20u + column]) << 23u);
}

// factor_householder: workgroups [(1, 1, 1)], binds read_write, read_write
@group(0) @binding(0) var<storage, read_write> y0: array<f32>;
@group(0) @binding(1) var<storage, read_write> y1: array<f32>;

// factor_householder: columns 0 to 16 of R, and below it the vectors of the reflections that lead there
// grid: a workgroup for each of 1 matrices, folded into y
var<workgroup> parts: array<f32, 64>;
var<workgroup> squares: array<vec3<f32>, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let matrix = group.x + group.y * 1u;
  if (matrix >= 1u) { return; }
  let lane = local / 16u;
  for (var c = 0u; c < 16u; c++) {
    let j = 0u + c;
    var square = vec3<f32>();
    for (var i = j + 1u + local; i < 40u; i += 64u) {  // at most 1 turns
      square += square_of(y0[matrix * 800u + (i) * 20u + j]);
    }
    squares[local] = square;
    for (var half = 64u / 2u; half > 0u; half /= 2u) {  // at most 6 turns
      workgroupBarrier();
      if (local < half) { squares[local] += squares[local + half]; }
    }
    workgroupBarrier();
    let rest = squares[0];
    let top = y0[matrix * 800u + (j) * 20u + j];
    let length = length_of(square_of(top) + rest);
    let none = rest.x + rest.y + rest.z == f32(0.0);
    let made = select(select(-length, length, top < f32(0.0)), top, none);
    let share = select((made - top) / made, f32(0.0), none);
    let scale = select(f32(1.0) / (top - made), f32(0.0), none);
    storageBarrier();
    for (var i = j + 1u + local; i < 40u; i += 64u) {  // at most 1 turns
      let below = y0[matrix * 800u + (i) * 20u + j] * scale;
      y0[matrix * 800u + (i) * 20u + j] = below;
    }
    if (local == 0u) {
      y0[matrix * 800u + (j) * 20u + j] = made;
      y1[matrix * 20u + (0u) * 20u + j] = share;
    }
    storageBarrier();
    let k = j + 1u + local % 16u;
    var sum = f32();
    if (k < 16u) {
      for (var i = j + 1u + lane; i < 40u; i += 4u) {  // at most 10 turns
        sum += y0[matrix * 800u + (i) * 20u + j] * y0[matrix * 800u + (i) * 20u + k];
      }
    }
    parts[local] = sum;
    workgroupBarrier();
    var total = f32();
    for (var l = 0u; l < 4u; l++) { total += parts[l * 16u + local % 16u]; }
    if (k < 16u) { total = share * (total + y0[matrix * 800u + (j) * 20u + k]); }
    storageBarrier();
    if (k < 16u) {
      if (lane == 0u) { y0[matrix * 800u + (j) * 20u + k] = y0[matrix * 800u + (j) * 20u + k] - total; }
      for (var i = j + 1u + lane; i < 40u; i += 4u) {  // at most 10 turns
        y0[matrix * 800u + (i) * 20u + k] = y0[matrix * 800u + (i) * 20u + k] - total * y0[matrix * 800u + (i) * 20u + j];
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

// factor_reflect: workgroups [(4, 1, 1)], binds read_write, read_write
@group(0) @binding(0) var<storage, read_write> x0: array<f32>;
@group(0) @binding(1) var<storage, read_write> y0: array<f32>;

// factor_reflect: 16 reflections of columns of 40 elements, in their place
// grid: a workgroup for each of 4 columns, folded into y
var<workgroup> parts: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = group.x + group.y * 4u;
  if (item >= 4u) { return; }
  let matrix = item / 4u;
  let k = 16u + item % 4u;
  for (var c = 0u; c < 16u; c++) {
    let j = 0u + c;
    var sum = f32();
    for (var i = j + 1u + local; i < 40u; i += 64u) {  // at most 1 turns
      sum += y0[matrix * 800u + (i) * 20u + j] * y0[matrix * 800u + (i) * 20u + k];
    }
    parts[local] = sum;
    for (var half = 64u / 2u; half > 0u; half /= 2u) {  // at most 6 turns
      workgroupBarrier();
      if (local < half) { parts[local] += parts[local + half]; }
    }
    workgroupBarrier();
    let total = x0[matrix * 20u + (0u) * 20u + j] * (parts[0] + y0[matrix * 800u + (j) * 20u + k]);
    storageBarrier();
    if (local == 0u) { y0[matrix * 800u + (j) * 20u + k] = y0[matrix * 800u + (j) * 20u + k] - total; }
    for (var i = j + 1u + local; i < 40u; i += 64u) {  // at most 1 turns
      y0[matrix * 800u + (i) * 20u + k] = y0[matrix * 800u + (i) * 20u + k] - total * y0[matrix * 800u + (i) * 20u + j];
    }
    storageBarrier();
  }
}

// factor_householder_2: workgroups [(1, 1, 1)], binds read_write, read_write
@group(0) @binding(0) var<storage, read_write> y0: array<f32>;
@group(0) @binding(1) var<storage, read_write> y1: array<f32>;

// factor_householder: columns 16 to 20 of R, and below it the vectors of the reflections that lead there
// grid: a workgroup for each of 1 matrices, folded into y
var<workgroup> parts: array<f32, 64>;
var<workgroup> squares: array<vec3<f32>, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let matrix = group.x + group.y * 1u;
  if (matrix >= 1u) { return; }
  let lane = local / 16u;
  for (var c = 0u; c < 4u; c++) {
    let j = 16u + c;
    var square = vec3<f32>();
    for (var i = j + 1u + local; i < 40u; i += 64u) {  // at most 1 turns
      square += square_of(y0[matrix * 800u + (i) * 20u + j]);
    }
    squares[local] = square;
    for (var half = 64u / 2u; half > 0u; half /= 2u) {  // at most 6 turns
      workgroupBarrier();
      if (local < half) { squares[local] += squares[local + half]; }
    }
    workgroupBarrier();
    let rest = squares[0];
    let top = y0[matrix * 800u + (j) * 20u + j];
    let length = length_of(square_of(top) + rest);
    let none = rest.x + rest.y + rest.z == f32(0.0);
    let made = select(select(-length, length, top < f32(0.0)), top, none);
    let share = select((made - top) / made, f32(0.0), none);
    let scale = select(f32(1.0) / (top - made), f32(0.0), none);
    storageBarrier();
    for (var i = j + 1u + local; i < 40u; i += 64u) {  // at most 1 turns
      let below = y0[matrix * 800u + (i) * 20u + j] * scale;
      y0[matrix * 800u + (i) * 20u + j] = below;
    }
    if (local == 0u) {
      y0[matrix * 800u + (j) * 20u + j] = made;
      y1[matrix * 20u + (0u) * 20u + j] = share;
    }
    storageBarrier();
    let k = j + 1u + local % 16u;
    var sum = f32();
    if (k < 20u) {
      for (var i = j + 1u + lane; i < 40u; i += 4u) {  // at most 10 turns
        sum += y0[matrix * 800u + (i) * 20u + j] * y0[matrix * 800u + (i) * 20u + k];
      }
    }
    parts[local] = sum;
    workgroupBarrier();
    var total = f32();
    for (var l = 0u; l < 4u; l++) { total += parts[l * 16u + local % 16u]; }
    if (k < 20u) { total = share * (total + y0[matrix * 800u + (j) * 20u + k]); }
    storageBarrier();
    if (k < 20u) {
      if (lane == 0u) { y0[matrix * 800u + (j) * 20u + k] = y0[matrix * 800u + (j) * 20u + k] - total; }
      for (var i = j + 1u + lane; i < 40u; i += 4u) {  // at most 10 turns
        y0[matrix * 800u + (i) * 20u + k] = y0[matrix * 800u + (i) * 20u + k] - total * y0[matrix * 800u + (i) * 20u + j];
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

// factor_fill_2: workgroups [(7, 1, 1)], binds read_write, read_write, read_write
@group(0) @binding(0) var<storage, read_write> x0: array<u32>;
@group(0) @binding(1) var<storage, read_write> x1: array<f32>;
@group(0) @binding(2) var<storage, read_write> y0: array<f32>;

// factor_fill: the upper triangle, matrices of 20 rows and 20 columns, element by element
// grid: ceil(400 / 64) workgroups, folded into y; an item is an element
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * 7u) * 64u + local;
  if (item >= 400u) { return; }
  let column = item % 20u;
  let row = item / 20u % 20u;
  let matrix = item / 400u;
  y0[matrix * 400u + (row) * 20u + column] = select(f32(0.0), x1[matrix * 800u + (row) * 20u + column] * bitcast<f32>(x0[matrix * 20u + column] << 23u), column >= row);
}

// factor_fill_3: workgroups [(13, 1, 1)], binds read_write
@group(0) @binding(0) var<storage, read_write> y0: array<f32>;

// factor_fill: the identity, matrices of 40 rows and 20 columns, element by element
// grid: ceil(800 / 64) workgroups, folded into y; an item is an element
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * 13u) * 64u + local;
  if (item >= 800u) { return; }
  let column = item % 20u;
  let row = item / 20u % 40u;
  let matrix = item / 800u;
  y0[matrix * 800u + (row) * 20u + column] = select(f32(0.0), f32(1.0), row == column);
}

// factor_reflect_2: workgroups [(20, 1, 1)], binds read_write, read_write, read_write
@group(0) @binding(0) var<storage, read_write> x0: array<f32>;
@group(0) @binding(1) var<storage, read_write> x1: array<f32>;
@group(0) @binding(2) var<storage, read_write> y0: array<f32>;

// factor_reflect: 20 reflections of columns of 40 elements, in their place
// grid: a workgroup for each of 20 columns, folded into y
var<workgroup> parts: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = group.x + group.y * 20u;
  if (item >= 20u) { return; }
  let matrix = item / 20u;
  let k = 0u + item % 20u;
  for (var c = 0u; c < 20u; c++) {
    let j = 19u - c;
    var sum = f32();
    for (var i = j + 1u + local; i < 40u; i += 64u) {  // at most 1 turns
      sum += x0[matrix * 800u + (i) * 20u + j] * y0[matrix * 800u + (i) * 20u + k];
    }
    parts[local] = sum;
    for (var half = 64u / 2u; half > 0u; half /= 2u) {  // at most 6 turns
      workgroupBarrier();
      if (local < half) { parts[local] += parts[local + half]; }
    }
    workgroupBarrier();
    let total = x1[matrix * 20u + (0u) * 20u + j] * (parts[0] + y0[matrix * 800u + (j) * 20u + k]);
    storageBarrier();
    if (local == 0u) { y0[matrix * 800u + (j) * 20u + k] = y0[matrix * 800u + (j) * 20u + k] - total; }
    for (var i = j + 1u + local; i < 40u; i += 64u) {  // at most 1 turns
      y0[matrix * 800u + (i) * 20u + k] = y0[matrix * 800u + (i) * 20u + k] - total * x0[matrix * 800u + (i) * 20u + j];
    }
    storageBarrier();
  }
}
