// argsort_select: the first {{kept}} elements, in order, of each block of {{run}} elements of rows of {{length}}.
// An invocation goes through a block and keeps the best so far in registers: most elements are compared with the last.
// grid: ceil({{items}} / {{size}}) workgroups, folded into y; an item is a block
@compute @workgroup_size({{size}})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * {{columns}}u) * {{size}}u + local;
  if (item >= {{items}}u) { return; }
  let row = item / {{blocks}}u;
  let begin = item % {{blocks}}u * {{run}}u;
  var held = 0u;
{{declare}}
  for (var k = 0u; k < {{run}}u; k++) {
    let t = begin + k;
    if (t < {{length}}u) {
      let key = key_of(row * {{length}}u + t);
      if ((held < {{kept}}u) | (key {{less}} key_{{last}})) {
        key_{{last}} = key;
        id_{{last}} = t;
{{insert}}
        held = min(held + 1u, {{kept}}u);
      }
    }
  }
{{store}}
}

fn key_of(at: u32) -> {{kind}} {
{{key}}
}
