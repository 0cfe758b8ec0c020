// tile_count: y[tile, b] = rows of block b whose slot lies in the tile, {{tile}} slots each; block b takes every
// {{blocks}}th row from row b on.
// grid: ceil({{items}} / {{size}}) workgroups, folded into y; an item is a block
@compute @workgroup_size({{size}})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let b = (group.x + group.y * {{columns}}u) * {{size}}u + local;
  if (b >= {{items}}u) { return; }
{{clear}}
  for (var r = b; r < {{rows}}u; r += {{blocks}}u) {
    let at = slot_of(r) / {{tile}}u * {{blocks}}u + b;
    {{store}}
  }
}

fn slot_of(r: u32) -> u32 {
{{slot}}
}
