// cumsum: y[o, t, i] = sum of x[o, u, i] over u <= t; a line (o, i) is scanned in {{parts}} part(s) of {{length}}.
// Each invocation scans one part of one line, on top of the sum of the parts before it.
// grid: ceil({{items}} / {{size}}) workgroups, folded into y; an item is a part of a line, neighbours differ in i
@compute @workgroup_size({{size}})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * {{columns}}u) * {{size}}u + local;
  if (item >= {{items}}u) { return; }
  let i = item % {{inner}}u;
  let part = (item / {{inner}}u) % {{parts}}u;
  let line = item / {{inner_parts}}u * {{inner_steps}}u + i;
  var before = {{type}}();
{{before}}
  var total = {{type}}();
  let last = min((part + 1u) * {{length}}u, {{steps}}u);
  for (var t = part * {{length}}u; t < last; t++) {  // at most {{length}} turns
    let at = line + {{step}} * {{inner}}u;
    total += {{type}}({{load}});
    {{store}}
  }
}
