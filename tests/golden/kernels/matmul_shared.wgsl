// matmul: workgroups [(16, 1, 1)], binds read, read, read_write
@group(0) @binding(0) var<storage, read> x0: array<f32>;
@group(0) @binding(1) var<storage, read> x1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y0: array<vec4<f32>>;

// matmul_shared: C[b, m, n] = epilogue(sum over k of A[b, m, k] B[b, k, n]); matmul
// grid: one workgroup a tile of 32 x 32; in bands of 1 row(s) of tiles, tiles below each other first;
// then 1 part(s) of the sum, then the batch; folded into y. Workgroup: 8 row(s) of 8 lanes along N,
// in blocks of 4 x 8, so that those of a subgroup read few vectors.
// For every 16 terms, the workgroup brings its rows of A and columns of B into workgroup memory once, and loads the
// next ones into registers while it adds. 1 stage(s) of that memory: of two, one is filled while the other is read.
var<workgroup> rows_of_a: array<array<array<array<vec4<f32>, 8>, 1>, 16>, 1>;
var<workgroup> columns_of_b: array<array<array<array<vec4<f32>, 8>, 1>, 16>, 1>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let tile = group.x + group.y * 16u;
  if (tile >= 16u) { return; }
  let batch = tile / 16u;
  let part = (tile / 16u) % 1u;
  let band = tile % 16u / 4u * 1u;
  let in_band = tile % 16u % 4u;
  let band_rows = min(4u - band, 1u);
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
  let e_a0 = first_row + at_a0 * 4u;
  let t_a1 = local % 16u;
  let at_a1 = local / 16u + 4u;
  let e_a1 = first_row + at_a1 * 4u;
  let t_b0 = local / 8u;
  let at_b0 = local % 8u;
  let e_b0 = first_column + at_b0 * 4u;
  let t_b1 = local / 8u + 8u;
  let at_b1 = local % 8u;
  let e_b1 = first_column + at_b1 * 4u;
  let first_block = min(part * 256u, 240u);
  let k_a0 = first_block + t_a0;
  let at1 = ((e_a0 * 256u) + k_a0);
  let v2 = vec4<f32>(x0[at1], x0[at1 + 256u], x0[at1 + 512u], x0[at1 + 768u]);
  var next_a0 = v2;
  let k_a1 = first_block + t_a1;
  let at3 = ((e_a1 * 256u) + k_a1);
  let v4 = vec4<f32>(x0[at3], x0[at3 + 256u], x0[at3 + 512u], x0[at3 + 768u]);
  var next_a1 = v4;
  let k_b0 = first_block + t_b0;
  let v5 = x1[((k_b0 * 128u) + e_b0) / 4u];
  var next_b0 = v5;
  let k_b1 = first_block + t_b1;
  let v6 = x1[((k_b1 * 128u) + e_b1) / 4u];
  var next_b1 = v6;
  let k_end = min((part + 1u) * 256u, 256u);
  for (var block = part * 256u; block < k_end; block += 16u) {  // at most 16 turns
    let stage = 0u;
    rows_of_a[stage][t_a0][at_a0 / 8u][(at_a0 % 8u) ^ (t_a0 % 8u / 2u)] = next_a0;
    rows_of_a[stage][t_a1][at_a1 / 8u][(at_a1 % 8u) ^ (t_a1 % 8u / 2u)] = next_a1;
    columns_of_b[stage][t_b0][at_b0 / 8u][at_b0 % 8u] = next_b0;
    columns_of_b[stage][t_b1][at_b1 / 8u][at_b1 % 8u] = next_b1;
    workgroupBarrier();
    let next_block = min(block + 16u, 240u);
    let k_a0 = next_block + t_a0;
    let at7 = ((e_a0 * 256u) + k_a0);
    let v8 = vec4<f32>(x0[at7], x0[at7 + 256u], x0[at7 + 512u], x0[at7 + 768u]);
    next_a0 = v8;
    let k_a1 = next_block + t_a1;
    let at9 = ((e_a1 * 256u) + k_a1);
    let v10 = vec4<f32>(x0[at9], x0[at9 + 256u], x0[at9 + 512u], x0[at9 + 768u]);
    next_a1 = v10;
    let k_b0 = next_block + t_b0;
    let v11 = x1[((k_b0 * 128u) + e_b0) / 4u];
    next_b0 = v11;
    let k_b1 = next_block + t_b1;
    let v12 = x1[((k_b1 * 128u) + e_b1) / 4u];
    next_b1 = v12;
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
  y0[((row * 128u) + column) / 4u] = c0_0;
  let at13 = (((row + 1u) * 128u) + column);
  y0[(((row + 1u) * 128u) + column) / 4u] = c1_0;
  let at14 = (((row + 2u) * 128u) + column);
  y0[(((row + 2u) * 128u) + column) / 4u] = c2_0;
  let at15 = (((row + 3u) * 128u) + column);
  y0[(((row + 3u) * 128u) + column) / 4u] = c3_0;
}
