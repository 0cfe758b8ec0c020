// argsort_count: the order of each block of {{run}} elements of rows of {{length}}, of which {{kept}} are kept.
// The place of an element is the number of those in its block that go before it; rows have {{width}} elements left.
// grid: ceil({{items}} / {{size}}) workgroups, folded into y; an item is an element
@compute @workgroup_size({{size}})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * {{columns}}u) * {{size}}u + local;
  if (item >= {{items}}u) { return; }
  let row = item / {{width}}u;
  let t = item % {{width}}u;
  let own = key_of(row * {{length}}u + {{id}});
  let begin = t / {{run}}u * {{run}}u;
  var place = 0u;
  for (var k = 0u; k < {{run}}u; k++) {
    let other = begin + k;
    if (other < {{width}}u) {
      let known = key_of(row * {{length}}u + {{other}});
      place += u32((known {{less}} own) | ((known == own) & (other < t)));
    }
  }
  if (place < {{kept}}u) { {{store}} }
}

fn key_of(at: u32) -> {{kind}} {
{{key}}
}
