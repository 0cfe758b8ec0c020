// matmul: C[b, m, n] = epilogue(sum over k of A[b, m, k] B[b, k, n]); {{what}}
// grid: one workgroup a tile of {{tile_rows}} x {{tile_columns}}, tiles of one row of tiles side by side, then down, then
// {{splits}} part(s) of the sum, then the batch; folded into y. Workgroup: {{groups}} row(s) of {{lanes}} lanes along N.
@compute @workgroup_size({{size}})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let tile = group.x + group.y * {{grid_columns}}u;
  if (tile >= {{tiles}}u) { return; }
  let batch = tile / {{tiles_each}}u;
  let part = (tile / {{tiles_plane}}u) % {{splits}}u;
  let row = (tile / {{tiles_wide}}u) % {{tiles_high}}u * {{tile_rows}}u{{row_of_group}};
  let lane = local % {{lanes}}u;
  let column = tile % {{tiles_wide}}u * {{tile_columns}}u + lane * {{width}}u;
{{start}}
{% for r in each_row %}
{% for j in each_column %}
  var c{{r}}_{{j}} = {{zero}};
{% end %}
{% end %}
  let k_end = min((part + 1u) * {{part_length}}u, {{k_whole}}u);
  for (var k = part * {{part_length}}u; k < k_end; k += 4u) {  // at most {{k_turns}} turns
    // What is needed of the operands comes first, then one row after another with all its terms, so that a driver can
    // keep the sums of a row in registers: term after term, they all went to memory and back.
{{loaded}}
{% for r, factors, terms in steps %}
{% for t, value in factors %}
    let x{{r}}_{{t}} = {{value}};
{% end %}
{% for j, t, value in terms %}
    c{{r}}_{{j}} += x{{r}}_{{t}} * {{value}};
{% end %}
{% end %}
  }
{% if rest %}
  if ({{last_part}}) {
{{rest_loaded}}
{% for r, factors, terms in rest %}
{% for t, value in factors %}
    let x{{r}}_{{t}} = {{value}};
{% end %}
{% for j, t, value in terms %}
    c{{r}}_{{j}} += x{{r}}_{{t}} * {{value}};
{% end %}
{% end %}
  }
{% end %}
{{finish}}
}
