// cumsum_parts: y[line, part] = sum of one part of a line, before the parts are scanned; {{parts}} part(s) of {{length}}
// grid: ceil({{items}} / {{size}}) workgroups, folded into y; an item is a part of a line, neighbours differ in i
@compute @workgroup_size({{size}})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * {{columns}}u) * {{size}}u + local;
  if (item >= {{items}}u) { return; }
  let i = item % {{inner}}u;
  let part = (item / {{inner}}u) % {{parts}}u;
  let line = item / {{inner_parts}}u * {{inner_steps}}u + i;
  var total = {{type}}();
  let last = min((part + 1u) * {{length}}u, {{steps}}u);
  for (var t = part * {{length}}u; t < last; t++) {  // at most {{length}} turns
    let at = line + {{step}} * {{inner}}u;
    total += {{type}}({{load}});
  }
  {{store}}
}
