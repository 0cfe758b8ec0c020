// factor_fill: workgroups [(25, 1, 1)], binds read, read_write
@group(0) @binding(0) var<storage, read> x0: array<f32>;
@group(0) @binding(1) var<storage, read_write> y0: array<f32>;

// factor_fill: a copy, matrices of 40 rows and 40 columns, element by element
// grid: ceil(1600 / 64) workgroups, folded into y; an item is an element
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * 25u) * 64u + local;
  if (item >= 1600u) { return; }
  let column = item % 40u;
  let row = item / 40u % 40u;
  let matrix = item / 1600u;
  y0[matrix * 1600u + (row) * 40u + column] = x0[matrix * 1600u + (row) * 40u + column];
}

// factor_fill_2: workgroups [(1, 1, 1)], binds read_write
@group(0) @binding(0) var<storage, read_write> y0: array<i32>;

// factor_fill: the order of the rows of each matrix, matrices of 1 rows and 40 columns, element by element
// grid: ceil(40 / 64) workgroups, folded into y; an item is an element
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * 1u) * 64u + local;
  if (item >= 40u) { return; }
  let column = item % 40u;
  let row = item / 40u % 1u;
  let matrix = item / 40u;
  y0[matrix * 40u + (row) * 40u + column] = i32(column);
}

// factor_lu: workgroups [(1, 1, 1)], binds read_write, read_write
@group(0) @binding(0) var<storage, read_write> y0: array<f32>;
@group(0) @binding(1) var<storage, read_write> y1: array<i32>;

// factor_lu: columns 0 to 32 of the LU factors of matrices of 40 rows, in their place, whole rows swapped
// grid: a workgroup for each of 1 matrices, folded into y
var<workgroup> most: array<f32, 64>;
var<workgroup> place: array<u32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let matrix = group.x + group.y * 1u;
  if (matrix >= 1u) { return; }
  for (var c = 0u; c < 32u; c++) {
    let j = 0u + c;
    var best = f32(-1.0);
    var at = j;
    for (var i = j + local; i < 40u; i += 64u) {  // at most 1 turns
      let found = abs(y0[matrix * 1600u + (i) * 40u + j]);
      if (found > best) { best = found; at = i; }
    }
    most[local] = best;
    place[local] = at;
    for (var half = 64u / 2u; half > 0u; half /= 2u) {  // at most 6 turns
      workgroupBarrier();
      if (local < half) {
        let found = most[local + half];
        let there = place[local + half];
        if ((found > most[local]) | ((found == most[local]) & (there < place[local]))) {
          most[local] = found;
          place[local] = there;
        }
      }
    }
    workgroupBarrier();
    let pivot = place[0];
    for (var k = local; k < 40u; k += 64u) {  // at most 1 turns
      let upper = y0[matrix * 1600u + (j) * 40u + k];
      let lower = y0[matrix * 1600u + (pivot) * 40u + k];
      y0[matrix * 1600u + (j) * 40u + k] = lower;
      y0[matrix * 1600u + (pivot) * 40u + k] = upper;
    }
    if (local == 0u) {
      let upper = y1[matrix * 40u + j];
      let lower = y1[matrix * 40u + pivot];
      y1[matrix * 40u + j] = lower;
      y1[matrix * 40u + pivot] = upper;
    }
    storageBarrier();
    let top = y0[matrix * 1600u + (j) * 40u + j];
    for (var i = j + 1u + local; i < 40u; i += 64u) {  // at most 1 turns
      let below = select(y0[matrix * 1600u + (i) * 40u + j] / top, f32(), top == f32(0.0));
      y0[matrix * 1600u + (i) * 40u + j] = below;
    }
    storageBarrier();
    let width = 32u - j - 1u;
    let count = (40u - j - 1u) * width;
    for (var e = local; e < count; e += 64u) {  // at most 20 turns
      let i = j + 1u + e / width;
      let k = j + 1u + e % width;
      y0[matrix * 1600u + (i) * 40u + k] = y0[matrix * 1600u + (i) * 40u + k] - y0[matrix * 1600u + (i) * 40u + j] * y0[matrix * 1600u + (j) * 40u + k];
    }
    storageBarrier();
  }
}

// factor_solve: workgroups [(1, 1, 1)], binds read_write
@group(0) @binding(0) var<storage, read_write> y0: array<f32>;

// factor_solve: 32 rows of x with a x = b for triangular a, where x lies in the place of b
// grid: ceil(8 / 64) workgroups, folded into y; an item is a column, whose rows are found one by one
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * 1u) * 64u + local;
  if (item >= 8u) { return; }
  let column = item % 8u;
  let matrix = item / 8u;
  for (var c = 0u; c < 32u; c++) {
    let i = 0u + c;
    var total = y0[matrix * 1600u + (i) * 40u + 32u + column];
    for (var d = 0u; d < c; d++) {  // at most 32 turns
      let j = 0u + d;
      total -= y0[matrix * 1600u + (i) * 40u + j] * y0[matrix * 1600u + (j) * 40u + 32u + column];
    }
    y0[matrix * 1600u + (i) * 40u + 32u + column] = total;
  }
}

// factor_update: workgroups [(1, 1, 1)], binds read_write
@group(0) @binding(0) var<storage, read_write> y0: array<f32>;

// factor_update: y[i, j] -= sum over 32 k of p[i, k] q[k, j], for 8 rows and 8 columns of matrices
// grid: ceil(64 / 64) workgroups, folded into y; an item is an element
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * 1u) * 64u + local;
  if (item >= 64u) { return; }
  let j = item % 8u;
  let i = item / 8u % 8u;
  let matrix = item / 64u;
  if (false) { return; }
  var total = f32();
  for (var k = 0u; k < 32u; k++) { total += y0[matrix * 1600u + (32u + i) * 40u + 0u + k] * y0[matrix * 1600u + (0u + k) * 40u + 32u + j]; }
  y0[matrix * 1600u + (32u + i) * 40u + 32u + j] = y0[matrix * 1600u + (32u + i) * 40u + 32u + j] - total;
}

// factor_lu_2: workgroups [(1, 1, 1)], binds read_write, read_write
@group(0) @binding(0) var<storage, read_write> y0: array<f32>;
@group(0) @binding(1) var<storage, read_write> y1: array<i32>;

// factor_lu: columns 32 to 40 of the LU factors of matrices of 40 rows, in their place, whole rows swapped
// grid: a workgroup for each of 1 matrices, folded into y
var<workgroup> most: array<f32, 64>;
var<workgroup> place: array<u32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let matrix = group.x + group.y * 1u;
  if (matrix >= 1u) { return; }
  for (var c = 0u; c < 8u; c++) {
    let j = 32u + c;
    var best = f32(-1.0);
    var at = j;
    for (var i = j + local; i < 40u; i += 64u) {  // at most 1 turns
      let found = abs(y0[matrix * 1600u + (i) * 40u + j]);
      if (found > best) { best = found; at = i; }
    }
    most[local] = best;
    place[local] = at;
    for (var half = 64u / 2u; half > 0u; half /= 2u) {  // at most 6 turns
      workgroupBarrier();
      if (local < half) {
        let found = most[local + half];
        let there = place[local + half];
        if ((found > most[local]) | ((found == most[local]) & (there < place[local]))) {
          most[local] = found;
          place[local] = there;
        }
      }
    }
    workgroupBarrier();
    let pivot = place[0];
    for (var k = local; k < 40u; k += 64u) {  // at most 1 turns
      let upper = y0[matrix * 1600u + (j) * 40u + k];
      let lower = y0[matrix * 1600u + (pivot) * 40u + k];
      y0[matrix * 1600u + (j) * 40u + k] = lower;
      y0[matrix * 1600u + (pivot) * 40u + k] = upper;
    }
    if (local == 0u) {
      let upper = y1[matrix * 40u + j];
      let lower = y1[matrix * 40u + pivot];
      y1[matrix * 40u + j] = lower;
      y1[matrix * 40u + pivot] = upper;
    }
    storageBarrier();
    let top = y0[matrix * 1600u + (j) * 40u + j];
    for (var i = j + 1u + local; i < 40u; i += 64u) {  // at most 1 turns
      let below = select(y0[matrix * 1600u + (i) * 40u + j] / top, f32(), top == f32(0.0));
      y0[matrix * 1600u + (i) * 40u + j] = below;
    }
    storageBarrier();
    let width = 40u - j - 1u;
    let count = (40u - j - 1u) * width;
    for (var e = local; e < count; e += 64u) {  // at most 1 turns
      let i = j + 1u + e / width;
      let k = j + 1u + e % width;
      y0[matrix * 1600u + (i) * 40u + k] = y0[matrix * 1600u + (i) * 40u + k] - y0[matrix * 1600u + (i) * 40u + j] * y0[matrix * 1600u + (j) * 40u + k];
    }
    storageBarrier();
  }
}

// map_checked_take_along_axis: workgroups [(1, 1, 1)], binds read_write, read, read_write, read_write
@group(0) @binding(0) var<storage, read_write> x0: array<i32>;
@group(0) @binding(1) var<storage, read> x1: array<f32>;
@group(0) @binding(2) var<storage, read_write> y0: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> faults: array<atomic<u32>>;

fn gc_unknown() -> u32 {
  return select(0u, 1u, arrayLength(&x0) == 0u);
}
fn gc_hold(x: f32) -> f32 {
  return bitcast<f32>(bitcast<u32>(x) + u32(gc_unknown()));
}
fn gc_from_bits(bits: u32) -> f32 {
  return bitcast<f32>(bits);
}

// map: each output element is computed from the inputs on its own; checked_take_along_axis
// grid: ceil(items / (64 x 1)) workgroups, folded into y; an item is 4 consecutive element(s)
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let first = (group.x + group.y * 1u) * 64u + local;
  for (var step = 0u; step < 1u; step++) {
    let i = first + step * 64u;
    if (i >= 30u) { return; }
    let at1 = (((i * 4u) + vec4<u32>(0u, 1u, 2u, 3u)) / 3u);
    let v2 = vec4<i32>(x0[at1.x], x0[at1.y], x0[at1.z], x0[at1.w]);
    let v3 = (v2 > vec4<i32>(39i)) | (v2 < vec4<i32>(-40i));
    if (any(v3)) {
      let found4 = select(vec4<u32>(), bitcast<vec4<u32>>(v2), v3 & (at1 < vec4<u32>(40u)) & (at1 < vec4<u32>(40u)));
      atomicMax(&faults[0u], max(max(found4.x, found4.y), max(found4.z, found4.w)));
    }
    let v5 = select(v2, v2 + vec4<i32>(40), v2 < vec4<i32>(0));
    let at6 = vec4<u32>(clamp(v5, vec4<i32>(0), vec4<i32>(39)));
    let at7 = (((i * 4u) + vec4<u32>(0u, 1u, 2u, 3u)) % 3u);
    let v8 = vec4<f32>(x1[((at6 * 3u) + at7).x], x1[((at6 * 3u) + at7).y], x1[((at6 * 3u) + at7).z], x1[((at6 * 3u) + at7).w]);
    let v9 = (v2 >= vec4<i32>(-40)) & (v2 < vec4<i32>(40));
    let v10 = gc_hold(gc_from_bits(0x7fc00000u));
    let v11 = select(vec4<f32>(v10), v8, v9);
    y0[i] = v11;
  }
}

// factor_fill_3: workgroups [(2, 1, 1), (2, 1, 1)], binds read_write, read_write
@group(0) @binding(0) var<storage, read_write> x0: array<f32>;
@group(0) @binding(1) var<storage, read_write> y0: array<f32>;

// factor_fill: a copy, matrices of 40 rows and 3 columns, element by element
// grid: ceil(120 / 64) workgroups, folded into y; an item is an element
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * 2u) * 64u + local;
  if (item >= 120u) { return; }
  let column = item % 3u;
  let row = item / 3u % 40u;
  let matrix = item / 120u;
  y0[matrix * 120u + (row) * 3u + column] = x0[matrix * 120u + (row) * 3u + column];
}

// factor_solve_2: workgroups [(1, 1, 1)], binds read_write, read_write
@group(0) @binding(0) var<storage, read_write> x0: array<f32>;
@group(0) @binding(1) var<storage, read_write> y0: array<f32>;

// factor_solve: 32 rows of x with a x = b for triangular a, where x lies in the place of b
// grid: ceil(3 / 64) workgroups, folded into y; an item is a column, whose rows are found one by one
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * 1u) * 64u + local;
  if (item >= 3u) { return; }
  let column = item % 3u;
  let matrix = item / 3u;
  for (var c = 0u; c < 32u; c++) {
    let i = 0u + c;
    var total = y0[matrix * 120u + (i) * 3u + 0u + column];
    for (var d = 0u; d < c; d++) {  // at most 32 turns
      let j = 0u + d;
      total -= x0[matrix * 1600u + (i) * 40u + j] * y0[matrix * 120u + (j) * 3u + 0u + column];
    }
    y0[matrix * 120u + (i) * 3u + 0u + column] = total;
  }
}

// factor_update_2: workgroups [(1, 1, 1)], binds read_write, read_write
@group(0) @binding(0) var<storage, read_write> x0: array<f32>;
@group(0) @binding(1) var<storage, read_write> y0: array<f32>;

// factor_update: y[i, j] -= sum over 32 k of p[i, k] q[k, j], for 8 rows and 3 columns of matrices
// grid: ceil(24 / 64) workgroups, folded into y; an item is an element
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * 1u) * 64u + local;
  if (item >= 24u) { return; }
  let j = item % 3u;
  let i = item / 3u % 8u;
  let matrix = item / 24u;
  if (false) { return; }
  var total = f32();
  for (var k = 0u; k < 32u; k++) { total += x0[matrix * 1600u + (32u + i) * 40u + 0u + k] * y0[matrix * 120u + (0u + k) * 3u + j]; }
  y0[matrix * 120u + (32u + i) * 3u + 0u + j] = y0[matrix * 120u + (32u + i) * 3u + 0u + j] - total;
}

// factor_solve_3: workgroups [(1, 1, 1)], binds read_write, read_write
@group(0) @binding(0) var<storage, read_write> x0: array<f32>;
@group(0) @binding(1) var<storage, read_write> y0: array<f32>;

// factor_solve: 8 rows of x with a x = b for triangular a, where x lies in the place of b
// grid: ceil(3 / 64) workgroups, folded into y; an item is a column, whose rows are found one by one
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * 1u) * 64u + local;
  if (item >= 3u) { return; }
  let column = item % 3u;
  let matrix = item / 3u;
  for (var c = 0u; c < 8u; c++) {
    let i = 32u + c;
    var total = y0[matrix * 120u + (i) * 3u + 0u + column];
    for (var d = 0u; d < c; d++) {  // at most 8 turns
      let j = 32u + d;
      total -= x0[matrix * 1600u + (i) * 40u + j] * y0[matrix * 120u + (j) * 3u + 0u + column];
    }
    y0[matrix * 120u + (i) * 3u + 0u + column] = total;
  }
}

// factor_solve_4: workgroups [(1, 1, 1)], binds read_write, read_write
@group(0) @binding(0) var<storage, read_write> x0: array<f32>;
@group(0) @binding(1) var<storage, read_write> y0: array<f32>;

// factor_solve: 8 rows of x with a x = b for triangular a, where x lies in the place of b
// grid: ceil(3 / 64) workgroups, folded into y; an item is a column, whose rows are found one by one
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * 1u) * 64u + local;
  if (item >= 3u) { return; }
  let column = item % 3u;
  let matrix = item / 3u;
  for (var c = 0u; c < 8u; c++) {
    let i = 39u - c;
    var total = y0[matrix * 120u + (i) * 3u + 0u + column];
    for (var d = 0u; d < c; d++) {  // at most 8 turns
      let j = 39u - d;
      total -= x0[matrix * 1600u + (i) * 40u + j] * y0[matrix * 120u + (j) * 3u + 0u + column];
    }
    y0[matrix * 120u + (i) * 3u + 0u + column] = total / x0[matrix * 1600u + (i) * 40u + i];
  }
}

// factor_update_3: workgroups [(2, 1, 1)], binds read_write, read_write
@group(0) @binding(0) var<storage, read_write> x0: array<f32>;
@group(0) @binding(1) var<storage, read_write> y0: array<f32>;

// factor_update: y[i, j] -= sum over 8 k of p[i, k] q[k, j], for 32 rows and 3 columns of matrices
// grid: ceil(96 / 64) workgroups, folded into y; an item is an element
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * 2u) * 64u + local;
  if (item >= 96u) { return; }
  let j = item % 3u;
  let i = item / 3u % 32u;
  let matrix = item / 96u;
  if (false) { return; }
  var total = f32();
  for (var k = 0u; k < 8u; k++) { total += x0[matrix * 1600u + (0u + i) * 40u + 32u + k] * y0[matrix * 120u + (32u + k) * 3u + j]; }
  y0[matrix * 120u + (0u + i) * 3u + 0u + j] = y0[matrix * 120u + (0u + i) * 3u + 0u + j] - total;
}

// factor_solve_5: workgroups [(1, 1, 1)], binds read_write, read_write
@group(0) @binding(0) var<storage, read_write> x0: array<f32>;
@group(0) @binding(1) var<storage, read_write> y0: array<f32>;

// factor_solve: 32 rows of x with a x = b for triangular a, where x lies in the place of b
// grid: ceil(3 / 64) workgroups, folded into y; an item is a column, whose rows are found one by one
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * 1u) * 64u + local;
  if (item >= 3u) { return; }
  let column = item % 3u;
  let matrix = item / 3u;
  for (var c = 0u; c < 32u; c++) {
    let i = 31u - c;
    var total = y0[matrix * 120u + (i) * 3u + 0u + column];
    for (var d = 0u; d < c; d++) {  // at most 32 turns
      let j = 31u - d;
      total -= x0[matrix * 1600u + (i) * 40u + j] * y0[matrix * 120u + (j) * 3u + 0u + column];
    }
    y0[matrix * 120u + (i) * 3u + 0u + column] = total / x0[matrix * 1600u + (i) * 40u + i];
  }
}
