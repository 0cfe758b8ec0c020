// scatter_walk: y[part, o, s, i] = sum of updates[o, r, i] along the chain of rows that scatter_links made for s
// grid: ceil({{items}} / {{size}}) workgroups, folded into y; an item is {{lanes}} element(s) of a part
@compute @workgroup_size({{size}})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * {{columns}}u) * {{size}}u + local;
  if (item >= {{items}}u) { return; }
  let i = item % {{inner}}u;
  let slot = (item / {{inner}}u) % {{slots}}u;
  let first_row = (item / {{table}}u) % {{outer}}u * {{rows}}u;
  let part = item / {{plane}}u;
  var total = {{type}}();
  var r = {{head}};
  while (r < {{rows}}u) {
    total += {{type}}({{load}});
    r = {{link}};
  }
  {{store}}
}
