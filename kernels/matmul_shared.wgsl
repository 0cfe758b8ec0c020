// matmul_shared: C[b, m, n] = epilogue(sum over k of A[b, m, k] B[b, k, n]); {{what}}
// grid: one workgroup a tile of {{tile_rows}} x {{tile_columns}}, tiles of one row of tiles side by side, then down, then
// {{splits}} part(s) of the sum, then the batch; folded into y. Workgroup: {{groups}} row(s) of {{lanes}} lanes along N.
// For every {{depth}} terms, the workgroup brings its rows of A and columns of B into workgroup memory once.
var<workgroup> rows_of_a: array<{{type}}, {{a_size}}>;
var<workgroup> columns_of_b: array<{{b_type}}, {{b_size}}>;

@compute @workgroup_size({{size}})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let tile = group.x + group.y * {{grid_columns}}u;
  if (tile >= {{tiles}}u) { return; }
  let batch = tile / {{tiles_each}}u;
  let part = (tile / {{tiles_plane}}u) % {{splits}}u;
  let first_row = (tile / {{tiles_wide}}u) % {{tiles_high}}u * {{tile_rows}}u;
  let first_column = tile % {{tiles_wide}}u * {{tile_columns}}u;
  let lane = local % {{lanes}}u;
  let my_row = local / {{lanes}}u * {{rows}}u;
  let row = first_row + my_row;
  let column = first_column + lane * 4u;
{{start}}
  let k_end = min((part + 1u) * {{part_length}}u, {{k}}u);
  for (var block = part * {{part_length}}u; block < k_end; block += {{depth}}u) {  // at most {{k_turns}} turns
{{load}}
    workgroupBarrier();
    for (var t = 0u; t < {{depth}}u; t++) {
{{step}}
    }
    workgroupBarrier();
  }
{{finish}}
}
