// index_rows: values[o, r, i] over what stands at y[o, s, i], for each row r whose index is s, where no later row has that
// index; all else stays.
// grid: ceil({{items}} / {{size}}) workgroups, folded into y; an item is {{lanes}} element(s) of the rows
@compute @workgroup_size({{size}})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * {{columns}}u) * {{size}}u + local;
  if (item >= {{items}}u) { return; }
  let i = item % {{inner}}u;
  let row = (item / {{inner}}u) % {{rows}}u;
  let slot = slot_of(row);
  var written = slot < {{slots}}u;
  for (var r = 1u; r < {{rows}}u; r++) {
    written = written & !((r > row) && (slot_of(r) == slot));
  }
  if (written) {
    let at = item / {{table}}u * {{slots}}u * {{inner}}u + slot * {{inner}}u + i;
    {{store}}
  }
}

fn slot_of(r: u32) -> u32 {
{{slot}}
}
