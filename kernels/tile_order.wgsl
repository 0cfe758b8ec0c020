// tile_order: y = the rows in the order of their tiles, and of their blocks within; ends[tile, b] is where the rows of
// block b in the tile end, and where they begin once this is done.
// grid: ceil({{items}} / {{size}}) workgroups, folded into y; an item is a block
@compute @workgroup_size({{size}})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let b = (group.x + group.y * {{columns}}u) * {{size}}u + local;
  if (b >= {{items}}u) { return; }
  for (var r = b; r < {{rows}}u; r += {{blocks}}u) {
    let at = slot_of(r) / {{tile}}u * {{blocks}}u + b;
    let place = {{end}} - 1u;
    {{move}}
    {{store}}
  }
}

fn slot_of(r: u32) -> u32 {
{{slot}}
}
