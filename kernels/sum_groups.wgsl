// sum_groups: y[g, i] = the sum of x[part, i] over the {{group}} parts of group g, in order; {{parts}} parts in all
// grid: ceil({{items}} / {{size}}) workgroups, folded into y; an item is {{lanes}} consecutive element(s) of a group
@compute @workgroup_size({{size}})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * {{columns}}u) * {{size}}u + local;
  if (item >= {{items}}u) { return; }
  let i = item % {{table}}u;
  let first = item / {{table}}u * {{group}}u;
  let last = min(first + {{group}}u, {{parts}}u);
  var total = {{type}}();
  for (var part = first; part < last; part++) {  // at most {{group}} turns
    total += {{load}};
  }
  {{store}}
}
