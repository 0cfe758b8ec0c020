// scatter_add: y[part, o, s, i] = sum of updates[o, r, i] over the rows r of the part whose index is s, in order.
// Each invocation looks at every index: right for small tables. No atomics, so the result is the same every time.
// grid: ceil({{items}} / {{size}}) workgroups, folded into y; an item is {{lanes}} element(s) of a part
@compute @workgroup_size({{size}})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * {{columns}}u) * {{size}}u + local;
  if (item >= {{items}}u) { return; }
  let i = item % {{inner}}u;
  let slot = (item / {{inner}}u) % {{slots}}u;
  let first_row = (item / {{table}}u) % {{outer}}u * {{rows}}u;
  let part = item / {{plane}}u;
{{ranges}}
  var total = {{type}}();
  let last = min((part + 1u) * {{length}}u, {{rows}}u);
  for (var r = part * {{length}}u; r < last; r++) {
    let id = {{id}};
    if ({{match}}) {
      total += {{type}}({{load}});
    }
  }
  {{store}}
}
