// argsort_count: workgroups [(8, 1, 1)], binds read, read_write
@group(0) @binding(0) var<storage, read> x0: array<f32>;
@group(0) @binding(1) var<storage, read_write> y0: array<i32>;

// argsort_count: the order of each block of 32 elements of rows of 70, of which 32 are kept.
// The place of an element is the number of those in its block that go before it; rows have 70 elements left.
// grid: ceil(490 / 64) workgroups, folded into y; an item is an element
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * 8u) * 64u + local;
  if (item >= 490u) { return; }
  let row = item / 70u;
  let t = item % 70u;
  let own = key_of(row * 70u + t);
  let begin = t / 32u * 32u;
  var place = 0u;
  for (var k = 0u; k < 32u; k++) {
    let other = begin + k;
    if (other < 70u) {
      let known = key_of(row * 70u + other);
      place += u32((known < own) | ((known == own) & (other < t)));
    }
  }
  if (place < 32u) { y0[row * 70u + t / 32u * 32u + place] = i32(t); }
}

fn key_of(at: u32) -> i32 {
  let bits = bitcast<i32>(f32(x0[at]));
  return select(select(bits, -(bits & 0x7fffffff), bits < 0), 0x7fffffff, (bits & 0x7fffffff) > 0x7f800000);
}

// argsort_merge: workgroups [(4, 1, 1)], binds read, read_write, read_write
@group(0) @binding(0) var<storage, read> x0: array<f32>;
@group(0) @binding(1) var<storage, read_write> x1: array<i32>;
@group(0) @binding(2) var<storage, read_write> y0: array<i32>;

// argsort_merge: runs of 32 elements, in order, become runs of twice as many, of which 64 are kept.
// An invocation makes 4 neighbours of a merged run. It finds by bisection how many elements of both runs go
// before them, then takes from the one whose next goes first. Of equal elements those of the first run go first.
// grid: ceil(224 / 64) workgroups, folded into y; an item is a part; rows have 70 elements left
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * 4u) * 64u + local;
  if (item >= 224u) { return; }
  let row = item / 16u / 2u;
  let pair = item / 16u % 2u;
  let begin = item % 16u * 4u;
  let left = min(70u - pair * 64u, 32u);  // elements of the first run, and of the second
  let right = min(70u - pair * 64u - left, 32u);
  let end = min(left + right, 64u);
  if (begin >= end) { return; }
  let x_row = row * 70u;
  let base = row * 70u + pair * 64u;
  var i = begin - min(begin, right);  // so many of the first run go before this part, or more
  var high = min(begin, left);
  for (var k = 0u; k < 6u; k++) {
    if (i < high) {
      let middle = (i + high) / 2u;
      let key_i = key_of(x_row + id_of(base + middle));
      let key_j = key_of(x_row + id_of(base + left + begin - 1u - middle));
      if (key_j < key_i) { high = middle; } else { i = middle + 1u; }
    }
  }
  var j = begin - i;
  var id_i = id_of(base + min(i, left - 1u));
  var id_j = id_of(base + min(left + j, left + right - 1u));
  var key_i = key_of(x_row + id_i);
  var key_j = key_of(x_row + id_j);
  for (var k = 0u; k < 4u; k++) {
    let place = begin + k;
    if (place >= end) { break; }
    let second = (j < right) & ((i >= left) | (key_j < key_i));
    let id = select(id_i, id_j, second);
    y0[row * 70u + pair * 64u + place] = i32(id);
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
  return u32(x1[at]);
}

fn key_of(at: u32) -> i32 {
  let bits = bitcast<i32>(f32(x0[at]));
  return select(select(bits, -(bits & 0x7fffffff), bits < 0), 0x7fffffff, (bits & 0x7fffffff) > 0x7f800000);
}

// argsort_merge_2: workgroups [(2, 1, 1)], binds read, read_write, read_write
@group(0) @binding(0) var<storage, read> x0: array<f32>;
@group(0) @binding(1) var<storage, read_write> x1: array<i32>;
@group(0) @binding(2) var<storage, read_write> y0: array<i32>;

// argsort_merge: runs of 64 elements, in order, become runs of twice as many, of which 70 are kept.
// An invocation makes 4 neighbours of a merged run. It finds by bisection how many elements of both runs go
// before them, then takes from the one whose next goes first. Of equal elements those of the first run go first.
// grid: ceil(126 / 64) workgroups, folded into y; an item is a part; rows have 70 elements left
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * 2u) * 64u + local;
  if (item >= 126u) { return; }
  let row = item / 18u / 1u;
  let pair = item / 18u % 1u;
  let begin = item % 18u * 4u;
  let left = min(70u - pair * 128u, 64u);  // elements of the first run, and of the second
  let right = min(70u - pair * 128u - left, 64u);
  let end = min(left + right, 70u);
  if (begin >= end) { return; }
  let x_row = row * 70u;
  let base = row * 70u + pair * 128u;
  var i = begin - min(begin, right);  // so many of the first run go before this part, or more
  var high = min(begin, left);
  for (var k = 0u; k < 7u; k++) {
    if (i < high) {
      let middle = (i + high) / 2u;
      let key_i = key_of(x_row + id_of(base + middle));
      let key_j = key_of(x_row + id_of(base + left + begin - 1u - middle));
      if (key_j < key_i) { high = middle; } else { i = middle + 1u; }
    }
  }
  var j = begin - i;
  var id_i = id_of(base + min(i, left - 1u));
  var id_j = id_of(base + min(left + j, left + right - 1u));
  var key_i = key_of(x_row + id_i);
  var key_j = key_of(x_row + id_j);
  for (var k = 0u; k < 4u; k++) {
    let place = begin + k;
    if (place >= end) { break; }
    let second = (j < right) & ((i >= left) | (key_j < key_i));
    let id = select(id_i, id_j, second);
    y0[row * 70u + pair * 70u + place] = i32(id);
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
  return u32(x1[at]);
}

fn key_of(at: u32) -> i32 {
  let bits = bitcast<i32>(f32(x0[at]));
  return select(select(bits, -(bits & 0x7fffffff), bits < 0), 0x7fffffff, (bits & 0x7fffffff) > 0x7f800000);
}
