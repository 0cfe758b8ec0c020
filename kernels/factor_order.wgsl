// factor_order: what was found of {{n}} rows of each matrix, in order, with vectors whose largest element is positive
// grid: ceil({{items}} / {{size}}) workgroups, folded into y; an item is a row
@compute @workgroup_size({{size}})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * {{columns}}u) * {{size}}u + local;
  if (item >= {{items}}u) { return; }
  let matrix = item / {{n}}u;
  let row = item % {{n}}u;
  let own = key_of({{key_own}});
  var rank = 0u;
  var most = {{type}}(-1.0);
  var sign = {{type}}(1.0);
  for (var k = 0u; k < {{n}}u; k++) {
    let known = key_of({{key_other}});
    rank += u32((known {{less}} own) | ((known == own) & (k < row)));
    let element = {{element}};
    if (abs(element) > most) {
      most = abs(element);
      sign = select({{type}}(1.0), {{type}}(-1.0), element < {{type}}(0.0));
    }
  }
  let value = {{value}};
  {{store_value}}
  for (var k = 0u; k < {{n}}u; k++) {
    let element = {{element}};
    {{store_vector}}
  }
{{more}}
}

fn key_of(at: u32) -> {{kind}} {
{{key}}
}
