// matmul_add_le_where: workgroups [(9, 1, 1)], binds read, read, read, read_write
@group(0) @binding(0) var<storage, read> x0: array<f32>;
@group(0) @binding(1) var<storage, read> x1: array<f32>;
@group(0) @binding(2) var<storage, read> x2: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y0: array<f32>;

fn gc_unknown() -> u32 {
  return select(0u, 1u, arrayLength(&x0) == 0u);
}
fn gc_hold(x: f32) -> f32 {
  return bitcast<f32>(bitcast<u32>(x) + u32(gc_unknown()));
}
fn gc_hold_v4(x: vec4<f32>) -> vec4<f32> {
  return bitcast<vec4<f32>>(bitcast<vec4<u32>>(x) + vec4<u32>(gc_unknown()));
}

// matmul_shared: C[b, m, n] = epilogue(sum over k of A[b, m, k] B[b, k, n]); matmul_add_le_where
// grid: one workgroup a tile of 64 x 64; in bands of 1 row(s) of tiles, tiles below each other first;
// then 1 part(s) of the sum, then the batch; folded into y. Workgroup: 16 row(s) of 16 lanes along N,
// in blocks of 4 x 8, so that those of a subgroup read few vectors.
// For every 16 terms, the workgroup brings its rows of A and columns of B into workgroup memory once, and loads the
// next ones into registers while it adds. 1 stage(s) of that memory: of two, one is filled while the other is read.
var<workgroup> rows_of_a: array<array<array<array<vec4<f32>, 16>, 1>, 16>, 1>;
var<workgroup> columns_of_b: array<array<array<array<vec4<f32>, 16>, 1>, 16>, 1>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let tile = group.x + group.y * 9u;
  if (tile >= 9u) { return; }
  let batch = tile / 9u;
  let part = (tile / 9u) % 1u;
  let band = tile % 9u / 3u * 1u;
  let in_band = tile % 9u % 3u;
  let band_rows = min(3u - band, 1u);
  let first_row = (band + in_band % band_rows) * 64u;
  let first_column = in_band / band_rows * 64u;
  let lane = local % 8u + local / 32u % 2u * 8u;
  let high = local / 8u % 4u + local / 64u * 4u;
  let row = first_row + high * 4u;
  let column = first_column + lane * 4u;
  var c0_0 = vec4<f32>();
  var c1_0 = vec4<f32>();
  var c2_0 = vec4<f32>();
  var c3_0 = vec4<f32>();
  let t_a0 = local % 16u;
  let at_a0 = local / 16u;
  let e_a0 = min(((first_row + at_a0 * 4u) + vec4<u32>(0u, 1u, 2u, 3u)), vec4<u32>(129u));
  let t_b0 = local / 16u;
  let at_b0 = local % 16u;
  let e_b0 = min(((first_column + at_b0 * 4u) + vec4<u32>(0u, 1u, 2u, 3u)), vec4<u32>(130u));
  let first_block = min(part * 80u, 64u);
  let k_a0 = min(first_block + t_a0, 69u);
  let v1 = vec4<f32>(x0[((k_a0 * 130u) + e_a0).x], x0[((k_a0 * 130u) + e_a0).y], x0[((k_a0 * 130u) + e_a0).z], x0[((k_a0 * 130u) + e_a0).w]);
  var next_a0 = select(vec4<f32>(), v1, first_block + t_a0 < 70u);
  let k_b0 = min(first_block + t_b0, 69u);
  let v2 = vec4<f32>(x1[((e_b0 * 70u) + k_b0).x], x1[((e_b0 * 70u) + k_b0).y], x1[((e_b0 * 70u) + k_b0).z], x1[((e_b0 * 70u) + k_b0).w]);
  var next_b0 = select(vec4<f32>(), v2, first_block + t_b0 < 70u);
  let k_end = min((part + 1u) * 80u, 70u);
  for (var block = part * 80u; block < k_end; block += 16u) {  // at most 5 turns
    let stage = 0u;
    rows_of_a[stage][t_a0][at_a0 / 16u][(at_a0 % 16u) ^ (t_a0 % 8u / 2u)] = next_a0;
    columns_of_b[stage][t_b0][at_b0 / 16u][at_b0 % 16u] = next_b0;
    workgroupBarrier();
    let next_block = min(block + 16u, 64u);
    let k_a0 = min(next_block + t_a0, 69u);
    let v3 = vec4<f32>(x0[((k_a0 * 130u) + e_a0).x], x0[((k_a0 * 130u) + e_a0).y], x0[((k_a0 * 130u) + e_a0).z], x0[((k_a0 * 130u) + e_a0).w]);
    next_a0 = select(vec4<f32>(), v3, next_block + t_a0 < 70u);
    let k_b0 = min(next_block + t_b0, 69u);
    let v4 = vec4<f32>(x1[((e_b0 * 70u) + k_b0).x], x1[((e_b0 * 70u) + k_b0).y], x1[((e_b0 * 70u) + k_b0).z], x1[((e_b0 * 70u) + k_b0).w]);
    next_b0 = select(vec4<f32>(), v4, next_block + t_b0 < 70u);
    {
      let a0 = rows_of_a[stage][0u][0u][high];
      let b0 = columns_of_b[stage][0u][0u][lane];
      c0_0 += a0.x * b0;
      c1_0 += a0.y * b0;
      c2_0 += a0.z * b0;
      c3_0 += a0.w * b0;
    }
    {
      let a0 = rows_of_a[stage][1u][0u][high];
      let b0 = columns_of_b[stage][1u][0u][lane];
      c0_0 += a0.x * b0;
      c1_0 += a0.y * b0;
      c2_0 += a0.z * b0;
      c3_0 += a0.w * b0;
    }
    {
      let a0 = rows_of_a[stage][2u][0u][high ^ 1u];
      let b0 = columns_of_b[stage][2u][0u][lane];
      c0_0 += a0.x * b0;
      c1_0 += a0.y * b0;
      c2_0 += a0.z * b0;
      c3_0 += a0.w * b0;
    }
    {
      let a0 = rows_of_a[stage][3u][0u][high ^ 1u];
      let b0 = columns_of_b[stage][3u][0u][lane];
      c0_0 += a0.x * b0;
      c1_0 += a0.y * b0;
      c2_0 += a0.z * b0;
      c3_0 += a0.w * b0;
    }
    {
      let a0 = rows_of_a[stage][4u][0u][high ^ 2u];
      let b0 = columns_of_b[stage][4u][0u][lane];
      c0_0 += a0.x * b0;
      c1_0 += a0.y * b0;
      c2_0 += a0.z * b0;
      c3_0 += a0.w * b0;
    }
    {
      let a0 = rows_of_a[stage][5u][0u][high ^ 2u];
      let b0 = columns_of_b[stage][5u][0u][lane];
      c0_0 += a0.x * b0;
      c1_0 += a0.y * b0;
      c2_0 += a0.z * b0;
      c3_0 += a0.w * b0;
    }
    {
      let a0 = rows_of_a[stage][6u][0u][high ^ 3u];
      let b0 = columns_of_b[stage][6u][0u][lane];
      c0_0 += a0.x * b0;
      c1_0 += a0.y * b0;
      c2_0 += a0.z * b0;
      c3_0 += a0.w * b0;
    }
    {
      let a0 = rows_of_a[stage][7u][0u][high ^ 3u];
      let b0 = columns_of_b[stage][7u][0u][lane];
      c0_0 += a0.x * b0;
      c1_0 += a0.y * b0;
      c2_0 += a0.z * b0;
      c3_0 += a0.w * b0;
    }
    {
      let a0 = rows_of_a[stage][8u][0u][high];
      let b0 = columns_of_b[stage][8u][0u][lane];
      c0_0 += a0.x * b0;
      c1_0 += a0.y * b0;
      c2_0 += a0.z * b0;
      c3_0 += a0.w * b0;
    }
    {
      let a0 = rows_of_a[stage][9u][0u][high];
      let b0 = columns_of_b[stage][9u][0u][lane];
      c0_0 += a0.x * b0;
      c1_0 += a0.y * b0;
      c2_0 += a0.z * b0;
      c3_0 += a0.w * b0;
    }
    {
      let a0 = rows_of_a[stage][10u][0u][high ^ 1u];
      let b0 = columns_of_b[stage][10u][0u][lane];
      c0_0 += a0.x * b0;
      c1_0 += a0.y * b0;
      c2_0 += a0.z * b0;
      c3_0 += a0.w * b0;
    }
    {
      let a0 = rows_of_a[stage][11u][0u][high ^ 1u];
      let b0 = columns_of_b[stage][11u][0u][lane];
      c0_0 += a0.x * b0;
      c1_0 += a0.y * b0;
      c2_0 += a0.z * b0;
      c3_0 += a0.w * b0;
    }
    {
      let a0 = rows_of_a[stage][12u][0u][high ^ 2u];
      let b0 = columns_of_b[stage][12u][0u][lane];
      c0_0 += a0.x * b0;
      c1_0 += a0.y * b0;
      c2_0 += a0.z * b0;
      c3_0 += a0.w * b0;
    }
    {
      let a0 = rows_of_a[stage][13u][0u][high ^ 2u];
      let b0 = columns_of_b[stage][13u][0u][lane];
      c0_0 += a0.x * b0;
      c1_0 += a0.y * b0;
      c2_0 += a0.z * b0;
      c3_0 += a0.w * b0;
    }
    {
      let a0 = rows_of_a[stage][14u][0u][high ^ 3u];
      let b0 = columns_of_b[stage][14u][0u][lane];
      c0_0 += a0.x * b0;
      c1_0 += a0.y * b0;
      c2_0 += a0.z * b0;
      c3_0 += a0.w * b0;
    }
    {
      let a0 = rows_of_a[stage][15u][0u][high ^ 3u];
      let b0 = columns_of_b[stage][15u][0u][lane];
      c0_0 += a0.x * b0;
      c1_0 += a0.y * b0;
      c2_0 += a0.z * b0;
      c3_0 += a0.w * b0;
    }
    workgroupBarrier();
  }
  if (row < 130u && column < 131u) {
    let v5 = x2[column / 4u];
    let v6 = (c0_0 + v5);
    let v7 = gc_hold(0.0f);
    let v8 = (v6 <= vec4<f32>(v7));
    let v9 = gc_hold_v4(v6);
    let v10 = select(v9, vec4<f32>(v7), v8);
    let i11 = ((row * 131u) + column);
    y0[i11 + 0u] = v10.x;
    if (column + 1u < 131u) { y0[i11 + 1u] = v10.y; }
    if (column + 2u < 131u) { y0[i11 + 2u] = v10.z; }
    if (column + 3u < 131u) { y0[i11 + 3u] = v10.w; }
  }
  if ((row + 1u) < 130u && column < 131u) {
    let at12 = (((row + 1u) * 131u) + column);
    let v13 = x2[column / 4u];
    let v14 = (c1_0 + v13);
    let v15 = gc_hold(0.0f);
    let v16 = (v14 <= vec4<f32>(v15));
    let v17 = gc_hold_v4(v14);
    let v18 = select(v17, vec4<f32>(v15), v16);
    let i19 = (((row + 1u) * 131u) + column);
    y0[i19 + 0u] = v18.x;
    if (column + 1u < 131u) { y0[i19 + 1u] = v18.y; }
    if (column + 2u < 131u) { y0[i19 + 2u] = v18.z; }
    if (column + 3u < 131u) { y0[i19 + 3u] = v18.w; }
  }
  if ((row + 2u) < 130u && column < 131u) {
    let at20 = (((row + 2u) * 131u) + column);
    let v21 = x2[column / 4u];
    let v22 = (c2_0 + v21);
    let v23 = gc_hold(0.0f);
    let v24 = (v22 <= vec4<f32>(v23));
    let v25 = gc_hold_v4(v22);
    let v26 = select(v25, vec4<f32>(v23), v24);
    let i27 = (((row + 2u) * 131u) + column);
    y0[i27 + 0u] = v26.x;
    if (column + 1u < 131u) { y0[i27 + 1u] = v26.y; }
    if (column + 2u < 131u) { y0[i27 + 2u] = v26.z; }
    if (column + 3u < 131u) { y0[i27 + 3u] = v26.w; }
  }
  if ((row + 3u) < 130u && column < 131u) {
    let at28 = (((row + 3u) * 131u) + column);
    let v29 = x2[column / 4u];
    let v30 = (c3_0 + v29);
    let v31 = gc_hold(0.0f);
    let v32 = (v30 <= vec4<f32>(v31));
    let v33 = gc_hold_v4(v30);
    let v34 = select(v33, vec4<f32>(v31), v32);
    let i35 = (((row + 3u) * 131u) + column);
    y0[i35 + 0u] = v34.x;
    if (column + 1u < 131u) { y0[i35 + 1u] = v34.y; }
    if (column + 2u < 131u) { y0[i35 + 2u] = v34.z; }
    if (column + 3u < 131u) { y0[i35 + 3u] = v34.w; }
  }
}
