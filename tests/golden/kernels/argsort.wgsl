// argsort_blocks: workgroups [(8, 1, 1)], binds read, read_write
@group(0) @binding(0) var<storage, read> x0: array<f32>;
@group(0) @binding(1) var<storage, read_write> y0: array<i32>;

// argsort_blocks: the order of each block of 32 elements of rows of 70, of which 32 are kept.
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

// argsort_merge: workgroups [(8, 1, 1)], binds read, read_write, read_write
@group(0) @binding(0) var<storage, read> x0: array<f32>;
@group(0) @binding(1) var<storage, read_write> x1: array<i32>;
@group(0) @binding(2) var<storage, read_write> y0: array<i32>;

// argsort_merge: runs of 32 elements, in order, become runs of twice as many, of which 64 are kept.
// An element goes behind those before it in its own run, and those of the other run that go before it.
// grid: ceil(490 / 64) workgroups, folded into y; an item is an element; rows have 70 of them left
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * 8u) * 64u + local;
  if (item >= 490u) { return; }
  let row = item / 70u;
  let t = item % 70u;
  let own = x1[item];
  let key = key_of(row * 70u + u32(own));
  let second = (t / 32u) % 2u == 1u;
  let begin = select(t / 32u + 1u, t / 32u - 1u, second) * 32u;
  var low = 0u;  // so many elements of the other run go before this one, or more
  var high = min(max(70u, begin) - begin, 32u);
  for (var k = 0u; k < 6u; k++) {
    if (low < high) {
      let middle = (low + high) / 2u;
      let other = key_of(row * 70u + u32(x1[row * 70u + begin + middle]));
      if ((other < key) | ((other == key) & second)) { low = middle + 1u; } else { high = middle; }
    }
  }
  let place = t % 32u + low;
  if (place < 64u) { y0[row * 70u + t / 64u * 64u + place] = own; }
}

fn key_of(at: u32) -> i32 {
  let bits = bitcast<i32>(f32(x0[at]));
  return select(select(bits, -(bits & 0x7fffffff), bits < 0), 0x7fffffff, (bits & 0x7fffffff) > 0x7f800000);
}

// argsort_merge_2: workgroups [(8, 1, 1)], binds read, read_write, read_write
@group(0) @binding(0) var<storage, read> x0: array<f32>;
@group(0) @binding(1) var<storage, read_write> x1: array<i32>;
@group(0) @binding(2) var<storage, read_write> y0: array<i32>;

// argsort_merge: runs of 64 elements, in order, become runs of twice as many, of which 70 are kept.
// An element goes behind those before it in its own run, and those of the other run that go before it.
// grid: ceil(490 / 64) workgroups, folded into y; an item is an element; rows have 70 of them left
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * 8u) * 64u + local;
  if (item >= 490u) { return; }
  let row = item / 70u;
  let t = item % 70u;
  let own = x1[item];
  let key = key_of(row * 70u + u32(own));
  let second = (t / 64u) % 2u == 1u;
  let begin = select(t / 64u + 1u, t / 64u - 1u, second) * 64u;
  var low = 0u;  // so many elements of the other run go before this one, or more
  var high = min(max(70u, begin) - begin, 64u);
  for (var k = 0u; k < 7u; k++) {
    if (low < high) {
      let middle = (low + high) / 2u;
      let other = key_of(row * 70u + u32(x1[row * 70u + begin + middle]));
      if ((other < key) | ((other == key) & second)) { low = middle + 1u; } else { high = middle; }
    }
  }
  let place = t % 64u + low;
  if (place < 70u) { y0[row * 70u + t / 128u * 70u + place] = own; }
}

fn key_of(at: u32) -> i32 {
  let bits = bitcast<i32>(f32(x0[at]));
  return select(select(bits, -(bits & 0x7fffffff), bits < 0), 0x7fffffff, (bits & 0x7fffffff) > 0x7f800000);
}
