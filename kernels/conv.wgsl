// conv: y[n, o, i, j] = epilogue(sum over c, a, b of x[n, c, i s + a d - p, j s + b d - p] w[o, c, a, b]); {{what}}
// grid: an invocation for {{channels}} channel(s) at {{lanes}} neighbouring position(s) and one of {{parts}} part(s) of
// the sum; folded into y
@compute @workgroup_size({{size}})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * {{columns}}u) * {{size}}u + local;
  if (item >= {{items}}u) { return; }
  let position = item % {{across}}u * {{lanes}}u;
  let block = item / {{across}}u % {{blocks}}u;
  let part = item / {{across_all}}u;
  let n = block / {{blocks_each}}u;
  let group_number = block % {{blocks_each}}u / {{blocks_group}}u;
  let first_of_group = block % {{blocks_group}}u * {{channels}}u;
  let first = group_number * {{group_channels}}u + first_of_group;
{{start}}
  let top = {{top}};  // of the first tap in x, zeros counted; below zero it wraps around
  let left = {{left}};
{% for t in each_channel %}
  var c{{t}} = {{zero}};
{% end %}
  for (var r = part * {{rows}}u; r < min((part + 1u) * {{rows}}u, {{rows_all}}u); r++) {  // at most {{rows}} turns
    let tap = r % {{high}}u;
    let y = top + {{down}};
    for (var b = 0u; b < {{wide}}u; b++) {
      let x = left + {{aside}};
{% if weights %}
{{element}}
{% end %}
{% for t, loaded, weight in weights %}
{{loaded}}
      c{{t}} += {{weight}} * {{seen}};
{% end %}
    }
  }
{{finish}}
}
