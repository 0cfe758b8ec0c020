// argsort_merge: runs of {{run}} elements, in order, become runs of twice as many, of which {{kept}} are kept.
// An element goes behind those before it in its own run, and those of the other run that go before it.
// grid: ceil({{items}} / {{size}}) workgroups, folded into y; an item is an element; rows have {{width}} of them left
@compute @workgroup_size({{size}})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * {{columns}}u) * {{size}}u + local;
  if (item >= {{items}}u) { return; }
  let row = item / {{width}}u;
  let t = item % {{width}}u;
  let own = {{own}};
  let key = key_of(row * {{length}}u + u32(own));
  let second = (t / {{run}}u) % 2u == 1u;
  let begin = select(t / {{run}}u + 1u, t / {{run}}u - 1u, second) * {{run}}u;
  var low = 0u;  // so many elements of the other run go before this one, or more
  var high = min(max({{width}}u, begin) - begin, {{run}}u);
  for (var k = 0u; k < {{steps}}u; k++) {
    if (low < high) {
      let middle = (low + high) / 2u;
      let other = key_of(row * {{length}}u + u32({{other}}));
      if ((other {{less}} key) | ((other == key) & second)) { low = middle + 1u; } else { high = middle; }
    }
  }
  let place = t % {{run}}u + low;
  if (place < {{kept}}u) { {{store}} }
}

fn key_of(at: u32) -> {{kind}} {
{{key}}
}
