// matmul: workgroups [(16, 1, 1)], binds read, read, read_write
@group(0) @binding(0) var<storage, read> x0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> x1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y0: array<vec4<f32>>;

// matmul_shared: C[b, m, n] = epilogue(sum over k of A[b, m, k] B[b, k, n]); matmul
// grid: one workgroup a tile of 32 x 32, tiles of one row of tiles side by side, then down, then
// 1 part(s) of the sum, then the batch; folded into y. Workgroup: 8 row(s) of 8 lanes along N.
// For every 16 terms, the workgroup brings its rows of A and columns of B into workgroup memory once.
var<workgroup> rows_of_a: array<f32, 512>;
var<workgroup> columns_of_b: array<vec4<f32>, 128>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let tile = group.x + group.y * 16u;
  if (tile >= 16u) { return; }
  let batch = tile / 16u;
  let part = (tile / 16u) % 1u;
  let first_row = (tile / 4u) % 4u * 32u;
  let first_column = tile % 4u * 32u;
  let lane = local % 8u;
  let my_row = local / 8u * 4u;
  let row = first_row + my_row;
  let column = first_column + lane * 4u;
  var c0_0 = vec4<f32>();
  var c1_0 = vec4<f32>();
  var c2_0 = vec4<f32>();
  var c3_0 = vec4<f32>();
  let k_end = min((part + 1u) * 256u, 256u);
  for (var block = part * 256u; block < k_end; block += 16u) {  // at most 16 turns
    let at_a0 = (local + 0u) / 4u;
    let t_a0 = (local + 0u) % 4u * 4u;
    let e_a0 = min(first_row + at_a0, 127u);
    let k_a0 = block + t_a0;
    let v1 = x0[((e_a0 * 256u) + k_a0) / 4u];
    rows_of_a[(t_a0 + 0u) * 32u + at_a0] = v1.x;
    rows_of_a[(t_a0 + 1u) * 32u + at_a0] = v1.y;
    rows_of_a[(t_a0 + 2u) * 32u + at_a0] = v1.z;
    rows_of_a[(t_a0 + 3u) * 32u + at_a0] = v1.w;
    let at_a1 = (local + 64u) / 4u;
    let t_a1 = (local + 64u) % 4u * 4u;
    let e_a1 = min(first_row + at_a1, 127u);
    let k_a1 = block + t_a1;
    let v2 = x0[((e_a1 * 256u) + k_a1) / 4u];
    rows_of_a[(t_a1 + 0u) * 32u + at_a1] = v2.x;
    rows_of_a[(t_a1 + 1u) * 32u + at_a1] = v2.y;
    rows_of_a[(t_a1 + 2u) * 32u + at_a1] = v2.z;
    rows_of_a[(t_a1 + 3u) * 32u + at_a1] = v2.w;
    let at_b0 = (local + 0u) % 8u * 4u;
    let t_b0 = (local + 0u) / 8u;
    let e_b0 = min(first_column + at_b0, 124u);
    let k_b0 = block + t_b0;
    let v3 = x1[((k_b0 * 128u) + e_b0) / 4u];
    columns_of_b[(t_b0 * 32u + at_b0) / 4u] = v3;
    let at_b1 = (local + 64u) % 8u * 4u;
    let t_b1 = (local + 64u) / 8u;
    let e_b1 = min(first_column + at_b1, 124u);
    let k_b1 = block + t_b1;
    let v4 = x1[((k_b1 * 128u) + e_b1) / 4u];
    columns_of_b[(t_b1 * 32u + at_b1) / 4u] = v4;
    workgroupBarrier();
    for (var t = 0u; t < 16u; t++) {
      let b0 = columns_of_b[t * 8u + lane + 0u];
      { let x = rows_of_a[t * 32u + my_row + 0u]; c0_0 += x * b0; }
      { let x = rows_of_a[t * 32u + my_row + 1u]; c1_0 += x * b0; }
      { let x = rows_of_a[t * 32u + my_row + 2u]; c2_0 += x * b0; }
      { let x = rows_of_a[t * 32u + my_row + 3u]; c3_0 += x * b0; }
    }
    workgroupBarrier();
  }
  y0[((row * 128u) + column) / 4u] = c0_0;
  let at5 = (((row + 1u) * 128u) + column);
  y0[(((row + 1u) * 128u) + column) / 4u] = c1_0;
  let at6 = (((row + 2u) * 128u) + column);
  y0[(((row + 2u) * 128u) + column) / 4u] = c2_0;
  let at7 = (((row + 3u) * 128u) + column);
  y0[(((row + 3u) * 128u) + column) / 4u] = c3_0;
}
