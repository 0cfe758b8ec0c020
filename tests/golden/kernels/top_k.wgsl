// argsort_select: workgroups [(1, 1, 1)], binds read, read_write
@group(0) @binding(0) var<storage, read> x0: array<f32>;
@group(0) @binding(1) var<storage, read_write> y0: array<i32>;

// argsort_select: the first 3 elements, in order, of each block of 64 elements of rows of 200.
// An invocation goes through a block and keeps the best so far in registers: most elements are compared with the last.
// grid: ceil(28 / 64) workgroups, folded into y; an item is a block; rows have 200 elements left
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * 1u) * 64u + local;
  if (item >= 28u) { return; }
  let row = item / 4u;
  let begin = item % 4u * 64u;
  let end = min(begin + 64u, 200u);
  var held = 0u;
  var key_0 = i32();
  var id_0 = 0u;
  var key_1 = i32();
  var id_1 = 0u;
  var key_2 = i32();
  var id_2 = 0u;
  for (var k = 0u; k < 64u; k++) {
    let t = begin + k;
    if (t >= end) { break; }
    let id = t;
    let key = key_of(row * 200u + id);
    if ((held < 3u) | (key > key_2)) {
      // Those that stay before it, and those that move on by one: equal ones stood earlier.
      let stays_0 = (0u < held) & !(key > key_0);
      let stays_1 = (1u < held) & !(key > key_1);
      let stays_2 = (2u < held) & !(key > key_2);
      key_2 = select(select(key_1, key, stays_1), key_2, stays_2);
      id_2 = select(select(id_1, id, stays_1), id_2, stays_2);
      key_1 = select(select(key_0, key, stays_0), key_1, stays_1);
      id_1 = select(select(id_0, id, stays_0), id_1, stays_1);
      key_0 = select(key, key_0, stays_0);
      id_0 = select(id, id_0, stays_0);
      held = min(held + 1u, 3u);
    }
  }
  if (0u < held) { y0[row * 12u + item % 4u * 3u + 0u] = i32(id_0); }
  if (1u < held) { y0[row * 12u + item % 4u * 3u + 1u] = i32(id_1); }
  if (2u < held) { y0[row * 12u + item % 4u * 3u + 2u] = i32(id_2); }
}

fn key_of(at: u32) -> i32 {
  let bits = bitcast<i32>(f32(x0[at]));
  return select(select(bits, -(bits & 0x7fffffff), bits < 0), 0x7fffffff, (bits & 0x7fffffff) > 0x7f800000);
}

// argsort_count: workgroups [(2, 1, 1)], binds read, read_write, read_write
@group(0) @binding(0) var<storage, read> x0: array<f32>;
@group(0) @binding(1) var<storage, read_write> x1: array<i32>;
@group(0) @binding(2) var<storage, read_write> y0: array<i32>;

// argsort_count: the order of each block of 12 elements of rows of 200, of which 3 are kept.
// The place of an element is the number of those in its block that go before it; rows have 12 elements left.
// grid: ceil(84 / 64) workgroups, folded into y; an item is an element
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * 2u) * 64u + local;
  if (item >= 84u) { return; }
  let row = item / 12u;
  let t = item % 12u;
  let own = key_of(row * 200u + u32(x1[row * 12u + t]));
  let begin = t / 12u * 12u;
  var place = 0u;
  for (var k = 0u; k < 12u; k++) {
    let other = begin + k;
    if (other < 12u) {
      let known = key_of(row * 200u + u32(x1[row * 12u + other]));
      place += u32((known > own) | ((known == own) & (other < t)));
    }
  }
  if (place < 3u) { y0[row * 3u + t / 12u * 3u + place] = i32(u32(x1[row * 12u + t])); }
}

fn key_of(at: u32) -> i32 {
  let bits = bitcast<i32>(f32(x0[at]));
  return select(select(bits, -(bits & 0x7fffffff), bits < 0), 0x7fffffff, (bits & 0x7fffffff) > 0x7f800000);
}
