// matmul_shared: C[b, m, n] = epilogue(sum over k of A[b, m, k] B[b, k, n]); {{what}}
// grid: one workgroup a tile of {{tile_rows}} x {{tile_columns}}; in bands of {{band}} row(s) of tiles, tiles below each other first;
// then {{splits}} part(s) of the sum, then the batch; folded into y. Workgroup: {{groups}} row(s) of {{lanes}} lanes along N,
// in blocks of 4 x 8, so that those of a subgroup read few vectors.
// For every {{depth}} terms, the workgroup brings its rows of A and columns of B into workgroup memory once, and loads the
// next ones into registers while it adds. {{stages}} stage(s) of that memory: of two, one is filled while the other is read.
var<workgroup> rows_of_a: array<array<array<array<vec4<{{type}}>, {{groups}}>, {{a_vectors}}>, {{depth}}>, {{stages}}>;
var<workgroup> columns_of_b: array<array<array<array<vec4<{{type}}>, {{lanes}}>, {{b_vectors}}>, {{depth}}>, {{stages}}>;

@compute @workgroup_size({{size}})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let tile = group.x + group.y * {{grid_columns}}u;
  if (tile >= {{tiles}}u) { return; }
  let batch = tile / {{tiles_each}}u;
  let part = (tile / {{tiles_plane}}u) % {{splits}}u;
  let band = tile % {{tiles_plane}}u / {{tiles_band}}u * {{band}}u;
  let in_band = tile % {{tiles_plane}}u % {{tiles_band}}u;
  let band_rows = min({{tiles_high}}u - band, {{band}}u);
  let first_row = (band + in_band % band_rows) * {{tile_rows}}u;
  let first_column = in_band / band_rows * {{tile_columns}}u;
  let lane = local % 8u + local / 32u % {{blocks_wide}}u * 8u;
  let high = local / 8u % 4u + local / {{block_row}}u * 4u;
  let row = first_row + high * 4u;
  let column = first_column + lane * 4u;
{% for r in each_row %}
{% for j in each_column %}
  var c{{r}}_{{j}} = vec4<{{type}}>();
{% end %}
{% end %}
{{start}}
  let first_block = min(part * {{part_length}}u, {{last_block}}u);
{{first}}
  let k_end = min((part + 1u) * {{part_length}}u, {{k}}u);
  for (var block = part * {{part_length}}u; block < k_end; block += {{depth}}u) {  // at most {{k_turns}} turns
    let stage = {{stage}};
{{keep}}
    workgroupBarrier();
    let next_block = min(block + {{depth}}u, {{last_block}}u);
{{next}}
{% for t, a_at, b_at in terms %}
    {
{% for i in a_vector %}
      let a{{i}} = rows_of_a[stage][{{t}}u][{{i}}u][{{a_at}}];
{% end %}
{% for j in each_column %}
      let b{{j}} = columns_of_b[stage][{{t}}u][{{j}}u][{{b_at}}];
{% end %}
{% for r, i, letter in row_letters %}
{% for j in each_column %}
      c{{r}}_{{j}} += a{{i}}.{{letter}} * b{{j}};
{% end %}
{% end %}
    }
{% end %}
{% if once %}
    workgroupBarrier();
{% end %}
  }
{{finish}}
}
