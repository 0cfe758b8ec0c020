// map_tril_add: workgroups [(19, 1, 1)], binds read, read_write
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
  let first = (group.x + group.y * 19u) * 64u + local;
  for (var step = 0u; step < 1u; step++) {
    let i = first + step * 64u;
    if (i >= 1200u) { return; }
    let v1 = (vec4<u32>((((i * 4u) / 40u) % 40u)) >= (((i * 4u) % 40u) + vec4<u32>(0u, 1u, 2u, 3u)));
    let at2 = (i * 4u);
    let v3 = vec4<f32>(x0[at2], x0[at2 + 1u], x0[at2 + 2u], x0[at2 + 3u]);
    let v4 = gc_hold(0.0f);
    let v5 = select(vec4<f32>(v4), v3, v1);
    let v6 = ((((i * 4u) % 40u) + vec4<u32>(0u, 1u, 2u, 3u)) >= vec4<u32>(((((i * 4u) / 40u) % 40u) + 1u)));
    let at7 = (((((i * 4u) / 1600u) * 1600u) + (((i * 4u) % 40u) * 40u)) + (((i * 4u) / 40u) % 40u));
    let v8 = vec4<f32>(x0[at7], x0[at7 + 40u], x0[at7 + 80u], x0[at7 + 120u]);
    let v9 = select(vec4<f32>(v4), v8, v6);
    let v10 = gc_hold_v4(v9);
    let v11 = (v5 + v10);
    y0[i] = v11;
  }
}

// factor_fill: workgroups [(75, 1, 1)], binds read_write, read_write
@group(0) @binding(0) var<storage, read_write> x0: array<f32>;
@group(0) @binding(1) var<storage, read_write> y0: array<f32>;

// factor_fill: the lower triangle, matrices of 40 rows and 40 columns, element by element
// grid: ceil(4800 / 64) workgroups, folded into y; an item is an element
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * 75u) * 64u + local;
  if (item >= 4800u) { return; }
  let column = item % 40u;
  let row = item / 40u % 40u;
  let matrix = item / 1600u;
  y0[matrix * 1600u + (row) * 40u + column] = select(f32(0.0), x0[matrix * 1600u + (row) * 40u + column], column <= row);
}

// factor_cholesky: workgroups [(3, 1, 1)], binds read_write
@group(0) @binding(0) var<storage, read_write> y0: array<f32>;

fn gc_nan(x: f32) -> f32 {
  return bitcast<f32>(bitcast<u32>(x) | u32(0x7fc00000u));
}

// factor_cholesky: columns 0 to 32 of the Cholesky factor of matrices of 40 rows, in their place
// grid: a workgroup for each of 3 matrices, folded into y
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let matrix = group.x + group.y * 3u;
  if (matrix >= 3u) { return; }
  for (var c = 0u; c < 32u; c++) {
    let j = 0u + c;
    let top = y0[matrix * 1600u + (j) * 40u + j];
    let root = select(gc_nan(top), sqrt(top), top > f32(0.0));
    storageBarrier();
    for (var i = j + local; i < 40u; i += 64u) {  // at most 1 turns
      let known = y0[matrix * 1600u + (i) * 40u + j];
      let below = select(known / root, root, i == j);
      y0[matrix * 1600u + (i) * 40u + j] = below;
    }
    storageBarrier();
    let width = 32u - j - 1u;
    let count = (40u - j - 1u) * width;
    for (var e = local; e < count; e += 64u) {  // at most 20 turns
      let i = j + 1u + e / width;
      let k = j + 1u + e % width;
      if (k <= i) { y0[matrix * 1600u + (i) * 40u + k] = y0[matrix * 1600u + (i) * 40u + k] - y0[matrix * 1600u + (i) * 40u + j] * y0[matrix * 1600u + (k) * 40u + j]; }
    }
    storageBarrier();
  }
}

// factor_update: workgroups [(3, 1, 1)], binds read_write
@group(0) @binding(0) var<storage, read_write> y0: array<f32>;

// factor_update: y[i, j] -= sum over 32 k of p[i, k] q[k, j], for 8 rows and 8 columns of matrices
// grid: ceil(192 / 64) workgroups, folded into y; an item is an element
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * 3u) * 64u + local;
  if (item >= 192u) { return; }
  let j = item % 8u;
  let i = item / 8u % 8u;
  let matrix = item / 64u;
  if (j > i) { return; }
  var total = f32();
  for (var k = 0u; k < 32u; k++) { total += y0[matrix * 1600u + (32u + i) * 40u + 0u + k] * y0[matrix * 1600u + (32u + j) * 40u + 0u + k]; }
  y0[matrix * 1600u + (32u + i) * 40u + 32u + j] = y0[matrix * 1600u + (32u + i) * 40u + 32u + j] - total;
}

// factor_cholesky_2: workgroups [(3, 1, 1)], binds read_write
@group(0) @binding(0) var<storage, read_write> y0: array<f32>;

fn gc_nan(x: f32) -> f32 {
  return bitcast<f32>(bitcast<u32>(x) | u32(0x7fc00000u));
}

// factor_cholesky: columns 32 to 40 of the Cholesky factor of matrices of 40 rows, in their place
// grid: a workgroup for each of 3 matrices, folded into y
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let matrix = group.x + group.y * 3u;
  if (matrix >= 3u) { return; }
  for (var c = 0u; c < 8u; c++) {
    let j = 32u + c;
    let top = y0[matrix * 1600u + (j) * 40u + j];
    let root = select(gc_nan(top), sqrt(top), top > f32(0.0));
    storageBarrier();
    for (var i = j + local; i < 40u; i += 64u) {  // at most 1 turns
      let known = y0[matrix * 1600u + (i) * 40u + j];
      let below = select(known / root, root, i == j);
      y0[matrix * 1600u + (i) * 40u + j] = below;
    }
    storageBarrier();
    let width = 40u - j - 1u;
    let count = (40u - j - 1u) * width;
    for (var e = local; e < count; e += 64u) {  // at most 1 turns
      let i = j + 1u + e / width;
      let k = j + 1u + e % width;
      if (k <= i) { y0[matrix * 1600u + (i) * 40u + k] = y0[matrix * 1600u + (i) * 40u + k] - y0[matrix * 1600u + (i) * 40u + j] * y0[matrix * 1600u + (k) * 40u + j]; }
    }
    storageBarrier();
  }
}

// row_gt_min: workgroups [(3, 1, 1)], binds read_write, read_write
@group(0) @binding(0) var<storage, read_write> x0: array<f32>;
@group(0) @binding(1) var<storage, read_write> y0: array<u32>;

fn gc_unknown() -> u32 {
  return select(0u, 1u, arrayLength(&x0) == 0u);
}
fn gc_hold(x: f32) -> f32 {
  return bitcast<f32>(bitcast<u32>(x) + u32(gc_unknown()));
}

// row: gt_min; 3 rows of 40 elements, reduced along the row
// grid: a workgroup for 1 row(s), each of them shared by 4 invocation(s); folded into y; needs: nothing
var<workgroup> shared_value_u32: array<u32, 4>;
@compute @workgroup_size(4)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let row = group.x;
  let lane = local;
  if (group.x >= 3u) { return; }
  let c0 = lane * 4u;
  let at1 = ((row * 1600u) + (c0 * 41u));
  let v2 = vec4<f32>(x0[at1], x0[at1 + 41u], x0[at1 + 82u], x0[at1 + 123u]);
  let v3 = gc_hold(0.0f);
  let v4 = (v2 > vec4<f32>(v3));
  let v5 = select(vec4<u32>(0u), vec4<u32>(1u), v4);
  let c1 = lane * 4u + 16u;
  let at6 = ((row * 1600u) + (c1 * 41u));
  let v7 = vec4<f32>(x0[at6], x0[at6 + 41u], x0[at6 + 82u], x0[at6 + 123u]);
  let v8 = (v7 > vec4<f32>(v3));
  let v9 = select(vec4<u32>(0u), vec4<u32>(1u), v8);
  let v10 = min(v5, v9);
  let c2 = lane * 4u + 32u;
  let v11 = c2 < 40u;
  let at12 = ((row * 1600u) + (c2 * 41u));
  let v13 = vec4<f32>(x0[at12], x0[at12 + 41u], x0[at12 + 82u], x0[at12 + 123u]);
  let v14 = (v13 > vec4<f32>(v3));
  let v15 = select(vec4<u32>(0u), vec4<u32>(1u), v14);
  let v16 = select(vec4<u32>(u32(4294967295)), v15, v11);
  let v17 = min(v10, v16);
  let v18 = min(v17.x, v17.y);
  let v19 = min(v17.z, v17.w);
  let v20 = min(v18, v19);
  shared_value_u32[lane] = v20;
  workgroupBarrier();
  if (lane < 2u) {
    let v21 = shared_value_u32[lane];
    let v22 = shared_value_u32[lane + 2u];
    let v23 = min(v21, v22);
    shared_value_u32[lane] = v23;
  }
  workgroupBarrier();
  if (lane < 1u) {
    let v24 = shared_value_u32[lane];
    let v25 = shared_value_u32[lane + 1u];
    let v26 = min(v24, v25);
    shared_value_u32[lane] = v26;
  }
  workgroupBarrier();
  let v27 = shared_value_u32[0u];
  workgroupBarrier();
  let v28 = (v27 != u32(0u));
  if (lane == 0u) {
    y0[row] = select(0u, 1u, v28);
  }
}

// map_where: workgroups [(19, 1, 1)], binds read_write, read_write, read_write
@group(0) @binding(0) var<storage, read_write> x0: array<u32>;
@group(0) @binding(1) var<storage, read_write> x1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y0: array<vec4<f32>>;

fn gc_unknown() -> u32 {
  return select(0u, 1u, arrayLength(&x0) == 0u);
}
fn gc_hold(x: f32) -> f32 {
  return bitcast<f32>(bitcast<u32>(x) + u32(gc_unknown()));
}
fn gc_from_bits(bits: u32) -> f32 {
  return bitcast<f32>(bits);
}

// map: each output element is computed from the inputs on its own; where
// grid: ceil(items / (64 x 1)) workgroups, folded into y; an item is 4 consecutive element(s)
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let first = (group.x + group.y * 19u) * 64u + local;
  for (var step = 0u; step < 1u; step++) {
    let i = first + step * 64u;
    if (i >= 1200u) { return; }
    let v1 = (x0[((i * 4u) / 1600u)] != 0u);
    let v2 = x1[i];
    let v3 = gc_hold(gc_from_bits(0x7fc00000u));
    let v4 = select(vec4<f32>(v3), v2, vec4<bool>(v1));
    y0[i] = v4;
  }
}
