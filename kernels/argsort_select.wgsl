// argsort_select: the first {{kept}} elements, in order, of each block of {{run}} elements of rows of {{length}}.
// An invocation goes through a block and keeps the best so far in registers: most elements are compared with the last.
// grid: ceil({{items}} / {{size}}) workgroups, folded into y; an item is a block; rows have {{width}} elements left
@compute @workgroup_size({{size}})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * {{columns}}u) * {{size}}u + local;
  if (item >= {{items}}u) { return; }
  let row = item / {{blocks}}u;
  let begin = item % {{blocks}}u * {{run}}u;
  let end = min(begin + {{run}}u, {{width}}u);
  var held = 0u;
{% for j in places %}
  var key_{{j}} = {{kind}}();
  var id_{{j}} = 0u;
{% end %}
  for (var k = 0u; k < {{run}}u; k++) {
    let t = begin + k;
    if (t >= end) { break; }
    let id = {{id}};
    let key = key_of(row * {{length}}u + id);
    if ((held < {{kept}}u) | (key {{less}} key_{{last}})) {
      // Those that stay before it, and those that move on by one: equal ones stood earlier.
{% for j in places %}
      let stays_{{j}} = ({{j}}u < held) & !(key {{less}} key_{{j}});
{% end %}
{% for j, i in moves %}
      key_{{j}} = select(select(key_{{i}}, key, stays_{{i}}), key_{{j}}, stays_{{j}});
      id_{{j}} = select(select(id_{{i}}, id, stays_{{i}}), id_{{j}}, stays_{{j}});
{% end %}
      key_0 = select(key, key_0, stays_0);
      id_0 = select(id, id_0, stays_0);
      held = min(held + 1u, {{kept}}u);
    }
  }
{% for j, store in stores %}
  if ({{j}}u < held) { {{store}} }
{% end %}
}

fn key_of(at: u32) -> {{kind}} {
{{key}}
}
