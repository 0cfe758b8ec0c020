// matmul_add_le_where: workgroups [(25, 1, 1)], binds read, read, read, read_write
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
// grid: one workgroup a tile of 32 x 32; in bands of 1 row(s) of tiles, tiles below each other first;
// then 1 part(s) of the sum, then the batch; folded into y. Workgroup: 8 row(s) of 8 lanes along N,
// in blocks of 4 x 8, so that those of a subgroup read few vectors.
// For every 16 terms, the workgroup brings its rows of A and columns of B into workgroup memory once, and loads the
// next ones into registers while it adds. 1 stage(s) of that memory: of two, one is filled while the other is read.
var<workgroup> rows_of_a: array<array<array<array<vec4<f32>, 8>, 1>, 16>, 1>;
var<workgroup> columns_of_b: array<array<array<array<vec4<f32>, 8>, 1>, 16>, 1>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let tile = group.x + group.y * 25u;
  if (tile >= 25u) { return; }
  let batch = tile / 25u;
  let part = (tile / 25u) % 1u;
  let band = tile % 25u / 5u * 1u;
  let in_band = tile % 25u % 5u;
  let band_rows = min(5u - band, 1u);
  let first_row = (band + in_band % band_rows) * 32u;
  let first_column = in_band / band_rows * 32u;
  let lane = local % 8u + local / 32u % 1u * 8u;
  let high = local / 8u % 4u + local / 32u * 4u;
  let row = first_row + high * 4u;
  let column = first_column + lane * 4u;
  var c0_0 = vec4<f32>();
  var c1_0 = vec4<f32>();
  var c2_0 = vec4<f32>();
  var c3_0 = vec4<f32>();
  let t_a0 = local % 16u;
  let at_a0 = local / 16u;
  let e_a0 = min(((first_row + at_a0 * 4u) + vec4<u32>(0u, 1u, 2u, 3u)), vec4<u32>(129u));
  let t_a1 = local % 16u;
  let at_a1 = local / 16u + 4u;
  let e_a1 = min(((first_row + at_a1 * 4u) + vec4<u32>(0u, 1u, 2u, 3u)), vec4<u32>(129u));
  let t_b0 = local / 8u;
  let at_b0 = local % 8u;
  let e_b0 = min(((first_column + at_b0 * 4u) + vec4<u32>(0u, 1u, 2u, 3u)), vec4<u32>(130u));
  let t_b1 = local / 8u + 8u;
  let at_b1 = local % 8u;
  let e_b1 = min(((first_column + at_b1 * 4u) + vec4<u32>(0u, 1u, 2u, 3u)), vec4<u32>(130u));
  let first_block = min(part * 80u, 64u);
  let k_a0 = min(first_block + t_a0, 69u);
  let v1 = vec4<f32>(x0[((k_a0 * 130u) + e_a0).x], x0[((k_a0 * 130u) + e_a0).y], x0[((k_a0 * 130u) + e_a0).z], x0[((k_a0 * 130u) + e_a0).w]);
  var next_a0 = select(vec4<f32>(), v1, first_block + t_a0 < 70u);
  let k_a1 = min(first_block + t_a1, 69u);
  let v2 = vec4<f32>(x0[((k_a1 * 130u) + e_a1).x], x0[((k_a1 * 130u) + e_a1).y], x0[((k_a1 * 130u) + e_a1).z], x0[((k_a1 * 130u) + e_a1).w]);
  var next_a1 = select(vec4<f32>(), v2, first_block + t_a1 < 70u);
  let k_b0 = min(first_block + t_b0, 69u);
  let v3 = vec4<f32>(x1[((e_b0 * 70u) + k_b0).x], x1[((e_b0 * 70u) + k_b0).y], x1[((e_b0 * 70u) + k_b0).z], x1[((e_b0 * 70u) + k_b0).w]);
  var next_b0 = select(vec4<f32>(), v3, first_block + t_b0 < 70u);
  let k_b1 = min(first_block + t_b1, 69u);
  let v4 = vec4<f32>(x1[((e_b1 * 70u) + k_b1).x], x1[((e_b1 * 70u) + k_b1).y], x1[((e_b1 * 70u) + k_b1).z], x1[((e_b1 * 70u) + k_b1).w]);
  var next_b1 = select(vec4<f32>(), v4, first_block + t_b1 < 70u);
  let k_end = min((part + 1u) * 80u, 70u);
  for (var block = part * 80u; block < k_end; block += 16u) {  // at most 5 turns
    let stage = 0u;
    rows_of_a[stage][t_a0][at_a0 / 8u][(at_a0 % 8u) ^ (t_a0 % 8u / 2u)] = next_a0;
    rows_of_a[stage][t_a1][at_a1 / 8u][(at_a1 % 8u) ^ (t_a1 % 8u / 2u)] = next_a1;
    columns_of_b[stage][t_b0][at_b0 / 8u][at_b0 % 8u] = next_b0;
    columns_of_b[stage][t_b1][at_b1 / 8u][at_b1 % 8u] = next_b1;
    workgroupBarrier();
    let next_block = min(block + 16u, 64u);
    let k_a0 = min(next_block + t_a0, 69u);
    let v5 = vec4<f32>(x0[((k_a0 * 130u) + e_a0).x], x0[((k_a0 * 130u) + e_a0).y], x0[((k_a0 * 130u) + e_a0).z], x0[((k_a0 * 130u) + e_a0).w]);
    next_a0 = select(vec4<f32>(), v5, next_block + t_a0 < 70u);
    let k_a1 = min(next_block + t_a1, 69u);
    let v6 = vec4<f32>(x0[((k_a1 * 130u) + e_a1).x], x0[((k_a1 * 130u) + e_a1).y], x0[((k_a1 * 130u) + e_a1).z], x0[((k_a1 * 130u) + e_a1).w]);
    next_a1 = select(vec4<f32>(), v6, next_block + t_a1 < 70u);
    let k_b0 = min(next_block + t_b0, 69u);
    let v7 = vec4<f32>(x1[((e_b0 * 70u) + k_b0).x], x1[((e_b0 * 70u) + k_b0).y], x1[((e_b0 * 70u) + k_b0).z], x1[((e_b0 * 70u) + k_b0).w]);
    next_b0 = select(vec4<f32>(), v7, next_block + t_b0 < 70u);
    let k_b1 = min(next_block + t_b1, 69u);
    let v8 = vec4<f32>(x1[((e_b1 * 70u) + k_b1).x], x1[((e_b1 * 70u) + k_b1).y], x1[((e_b1 * 70u) + k_b1).z], x1[((e_b1 * 70u) + k_b1).w]);
    next_b1 = select(vec4<f32>(), v8, next_block + t_b1 < 70u);
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
    let v9 = x2[column / 4u];
    let v10 = (c0_0 + v9);
    let v11 = gc_hold(0.0f);
    let v12 = (v10 <= vec4<f32>(v11));
    let v13 = gc_hold_v4(v10);
    let v14 = select(v13, vec4<f32>(v11), v12);
    let i15 = ((row * 131u) + column);
    y0[i15 + 0u] = v14.x;
    if (column + 1u < 131u) { y0[i15 + 1u] = v14.y; }
    if (column + 2u < 131u) { y0[i15 + 2u] = v14.z; }
    if (column + 3u < 131u) { y0[i15 + 3u] = v14.w; }
  }
  if ((row + 1u) < 130u && column < 131u) {
    let at16 = (((row + 1u) * 131u) + column);
    let v17 = x2[column / 4u];
    let v18 = (c1_0 + v17);
    let v19 = gc_hold(0.0f);
    let v20 = (v18 <= vec4<f32>(v19));
    let v21 = gc_hold_v4(v18);
    let v22 = select(v21, vec4<f32>(v19), v20);
    let i23 = (((row + 1u) * 131u) + column);
    y0[i23 + 0u] = v22.x;
    if (column + 1u < 131u) { y0[i23 + 1u] = v22.y; }
    if (column + 2u < 131u) { y0[i23 + 2u] = v22.z; }
    if (column + 3u < 131u) { y0[i23 + 3u] = v22.w; }
  }
  if ((row + 2u) < 130u && column < 131u) {
    let at24 = (((row + 2u) * 131u) + column);
    let v25 = x2[column / 4u];
    let v26 = (c2_0 + v25);
    let v27 = gc_hold(0.0f);
    let v28 = (v26 <= vec4<f32>(v27));
    let v29 = gc_hold_v4(v26);
    let v30 = select(v29, vec4<f32>(v27), v28);
    let i31 = (((row + 2u) * 131u) + column);
    y0[i31 + 0u] = v30.x;
    if (column + 1u < 131u) { y0[i31 + 1u] = v30.y; }
    if (column + 2u < 131u) { y0[i31 + 2u] = v30.z; }
    if (column + 3u < 131u) { y0[i31 + 3u] = v30.w; }
  }
  if ((row + 3u) < 130u && column < 131u) {
    let at32 = (((row + 3u) * 131u) + column);
    let v33 = x2[column / 4u];
    let v34 = (c3_0 + v33);
    let v35 = gc_hold(0.0f);
    let v36 = (v34 <= vec4<f32>(v35));
    let v37 = gc_hold_v4(v34);
    let v38 = select(v37, vec4<f32>(v35), v36);
    let i39 = (((row + 3u) * 131u) + column);
    y0[i39 + 0u] = v38.x;
    if (column + 1u < 131u) { y0[i39 + 1u] = v38.y; }
    if (column + 2u < 131u) { y0[i39 + 2u] = v38.z; }
    if (column + 3u < 131u) { y0[i39 + 3u] = v38.w; }
  }
}
