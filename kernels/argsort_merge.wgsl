// argsort_merge: runs of {{run}} elements, in order, become runs of twice as many, of which {{kept}} are kept.
// An invocation makes {{part}} neighbours of a merged run. It finds by bisection how many elements of both runs go
// before them, then takes from the one whose next goes first. Of equal elements those of the first run go first.
// grid: ceil({{items}} / {{size}}) workgroups, folded into y; an item is a part; rows have {{width}} elements left
@compute @workgroup_size({{size}})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * {{columns}}u) * {{size}}u + local;
  if (item >= {{items}}u) { return; }
  let row = item / {{parts}}u / {{pairs}}u;
  let pair = item / {{parts}}u % {{pairs}}u;
  let begin = item % {{parts}}u * {{part}}u;
  let left = min({{width}}u - pair * {{both}}u, {{run}}u);  // elements of the first run, and of the second
  let right = min({{width}}u - pair * {{both}}u - left, {{run}}u);
  let end = min(left + right, {{kept}}u);
  if (begin >= end) { return; }
  let x_row = row * {{length}}u;
  let base = row * {{width}}u + pair * {{both}}u;
  var i = begin - min(begin, right);  // so many of the first run go before this part, or more
  var high = min(begin, left);
  for (var k = 0u; k < {{steps}}u; k++) {
    if (i < high) {
      let middle = (i + high) / 2u;
      let key_i = key_of(x_row + id_of(base + middle));
      let key_j = key_of(x_row + id_of(base + left + begin - 1u - middle));
      if (key_j {{less}} key_i) { high = middle; } else { i = middle + 1u; }
    }
  }
  var j = begin - i;
  var id_i = id_of(base + min(i, left - 1u));
  var id_j = id_of(base + min(left + j, left + right - 1u));
  var key_i = key_of(x_row + id_i);
  var key_j = key_of(x_row + id_j);
  for (var k = 0u; k < {{part}}u; k++) {
    let place = begin + k;
    if (place >= end) { break; }
    let second = (j < right) & ((i >= left) | (key_j {{less}} key_i));
    let id = select(id_i, id_j, second);
    {{store}}
    i += select(1u, 0u, second);
    j += select(0u, 1u, second);
    let next = id_of(base + select(min(i, left - 1u), min(left + j, left + right - 1u), second));
    let key_next = key_of(x_row + next);
    id_i = select(next, id_i, second);
    id_j = select(id_j, next, second);
    key_i = select(key_next, key_i, second);
    key_j = select(key_j, key_next, second);
  }
}

fn id_of(at: u32) -> u32 {
  return u32({{known}});
}

fn key_of(at: u32) -> {{kind}} {
{{key}}
}
