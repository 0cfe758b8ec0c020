// matmul_add: workgroups [(2, 1, 1)], binds read, read, read, read_write
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

// matmul_thin: C[b, m, n] = epilogue(sum over k of A[b, m, k] B[b, k, n]), of few results; matmul_add
// grid: one workgroup a tile of 3 x 64, tiles of one row of tiles side by side, then down, then
// 1 part(s) of the sum, then the batch; folded into y. Workgroup: 16 shares of each sum, of 16 lanes along N.
// Each share adds four terms of every 64. The shares meet in workgroup memory; then the first ones finish a row each.
var<workgroup> shares: array<array<array<array<vec4<f32>, 16>, 1>, 3>, 16>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let tile = group.x + group.y * 2u;
  if (tile >= 2u) { return; }
  let batch = tile / 2u;
  let part = (tile / 2u) % 1u;
  let row = (tile / 2u) % 1u * 3u;
  let share = local / 16u;
  let lane = local % 16u;
  let column = tile % 2u * 64u + lane * 4u;
  let m0 = row;
  let m1 = row + 1u;
  let m2 = row + 2u;
  let n0 = min(column, 92u);
  let zero = gc_hold_v4(vec4<f32>());
  var c0_0 = zero;
  var c1_0 = zero;
  var c2_0 = zero;
  let k_end = min((part + 1u) * 384u, 384u);
  for (var k = part * 384u + share * 4u; k < k_end; k += 64u) {  // at most 6 turns
    let v1 = x0[((m0 * 384u) + k) / 4u];
    let v2 = x0[((m1 * 384u) + k) / 4u];
    let v3 = x0[((m2 * 384u) + k) / 4u];
    let v4 = x1[((k * 96u) + n0) / 4u];
    let at5 = ((k * 96u) + n0) / 4u;
    let v6 = x1[at5 + 24u];
    let v7 = x1[at5 + 48u];
    let v8 = x1[at5 + 72u];
    let x0_0 = v1.x;
    let x0_1 = v1.y;
    let x0_2 = v1.z;
    let x0_3 = v1.w;
    c0_0 += x0_0 * v4;
    c0_0 += x0_1 * v6;
    c0_0 += x0_2 * v7;
    c0_0 += x0_3 * v8;
    let x1_0 = v2.x;
    let x1_1 = v2.y;
    let x1_2 = v2.z;
    let x1_3 = v2.w;
    c1_0 += x1_0 * v4;
    c1_0 += x1_1 * v6;
    c1_0 += x1_2 * v7;
    c1_0 += x1_3 * v8;
    let x2_0 = v3.x;
    let x2_1 = v3.y;
    let x2_2 = v3.z;
    let x2_3 = v3.w;
    c2_0 += x2_0 * v4;
    c2_0 += x2_1 * v6;
    c2_0 += x2_2 * v7;
    c2_0 += x2_3 * v8;
  }
  shares[share][0u][0u][lane] = c0_0;
  shares[share][1u][0u][lane] = c1_0;
  shares[share][2u][0u][lane] = c2_0;
  workgroupBarrier();
  if (share >= 3u) { return; }
  c0_0 = vec4<f32>();
  for (var other = 0u; other < 16u; other++) {
    c0_0 += shares[other][share][0u][lane];
  }
  if (column < 96u) {
    let at9 = (((row + share) * 96u) + column);
    let v10 = x2[column / 4u];
    let v11 = (c0_0 + v10);
    y0[(((row + share) * 96u) + column) / 4u] = v11;
  }
}
