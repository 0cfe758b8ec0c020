// column: {{what}}; reduces axes that are not the last, {{count}} terms for each result
// grid: ceil({{items}} / {{across}}) workgroups, folded into y; an item is {{lanes}} consecutive result(s), whose terms
// are shared out over {{down}} invocation(s)
{{shared}}@compute @workgroup_size({{size}})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * {{columns}}u) * {{across}}u + local % {{across}}u;
  let part = local / {{across}}u;
{{start}}
{{body}}
}
