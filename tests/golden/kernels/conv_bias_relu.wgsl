// conv_add_le_where: workgroups [(1, 1, 1)], binds read, read, read, read_write
@group(0) @binding(0) var<storage, read> x0: array<f32>;
@group(0) @binding(1) var<storage, read> x1: array<f32>;
@group(0) @binding(2) var<storage, read> x2: array<f32>;
@group(0) @binding(3) var<storage, read_write> y0: array<f32>;

fn gc_unknown() -> u32 {
  return select(0u, 1u, arrayLength(&x0) == 0u);
}
fn gc_hold(x: f32) -> f32 {
  return bitcast<f32>(bitcast<u32>(x) + u32(gc_unknown()));
}
fn gc_hold_v4(x: vec4<f32>) -> vec4<f32> {
  return bitcast<vec4<f32>>(bitcast<vec4<u32>>(x) + vec4<u32>(gc_unknown()));
}

// conv: y[n, o, i, j] = epilogue(sum over c, a, b of x[n, c, i s + a d - p, j s + b d - p] w[o, c, a, b]); conv_add_le_where
// grid: an invocation for 4 channel(s) at 4 neighbouring position(s) and one of 1 part(s) of
// the sum; folded into y
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let item = (group.x + group.y * 1u) * 64u + local;
  if (item >= 32u) { return; }
  let position = item % 8u * 4u;
  let block = item / 8u % 4u;
  let part = item / 32u;
  let n = block / 2u;
  let group_number = block % 2u / 1u;
  let first_of_group = block % 1u * 4u;
  let first = group_number * 4u + first_of_group;
  let zero = gc_hold_v4(vec4<f32>());
  let at1 = min((position + vec4<u32>(0u, 1u, 2u, 3u)), vec4<u32>(29u));
  let top = ((at1 / 6u) * 2u) + 4294967295u;  // of the first tap in x, zeros counted; below zero it wraps around
  let left = ((at1 % 6u) * 2u) + 4294967295u;
  var c0 = zero;
  var c1 = zero;
  var c2 = zero;
  var c3 = zero;
  for (var r = part * 9u; r < min((part + 1u) * 9u, 9u); r++) {  // at most 9 turns
    let tap = r % 3u;
    let y = top + tap;
    for (var b = 0u; b < 3u; b++) {
      let x = left + b;
      let v2 = (y < vec4<u32>(10u));
      let v3 = (x < vec4<u32>(12u));
      let at4 = ((group_number * 3u) + (r / 3u));
      let at5 = ((((n * 720u) + (at4 * 120u)) + (min(y, vec4<u32>(9u)) * 12u)) + min(x, vec4<u32>(11u)));
      let v6 = vec4<f32>(x0[at5.x], x0[at5.y], x0[at5.z], x0[at5.w]);
      let v7 = select(vec4<f32>(), v6, v2);
      let v8 = select(vec4<f32>(), v7, v3);
      let v9 = x1[((((first * 27u) + ((r / 3u) * 9u)) + (tap * 3u)) + b)];
      c0 += v9 * v8;
      let v10 = x1[(((((first + 1u) * 27u) + ((r / 3u) * 9u)) + (tap * 3u)) + b)];
      c1 += v10 * v8;
      let v11 = x1[(((((first + 2u) * 27u) + ((r / 3u) * 9u)) + (tap * 3u)) + b)];
      c2 += v11 * v8;
      let v12 = x1[(((((first + 3u) * 27u) + ((r / 3u) * 9u)) + (tap * 3u)) + b)];
      c3 += v12 * v8;
    }
  }
  let at13 = ((position + vec4<u32>(0u, 1u, 2u, 3u)) / 6u);
  let at14 = ((position + vec4<u32>(0u, 1u, 2u, 3u)) % 6u);
  let at15 = ((((n * 8u) + first) * 30u) + position);
  let v16 = x2[first];
  let v17 = (c0 + vec4<f32>(v16));
  let v18 = gc_hold(0.0f);
  let v19 = (v17 <= vec4<f32>(v18));
  let v20 = gc_hold_v4(v17);
  let v21 = select(v20, vec4<f32>(v18), v19);
  let i22 = ((((n * 8u) + first) * 30u) + position);
  y0[i22 + 0u] = v21.x;
  if (position + 1u < 30u) { y0[i22 + 1u] = v21.y; }
  if (position + 2u < 30u) { y0[i22 + 2u] = v21.z; }
  if (position + 3u < 30u) { y0[i22 + 3u] = v21.w; }
  let at23 = ((((n * 8u) + (first + 1u)) * 30u) + position);
  let v24 = x2[(first + 1u)];
  let v25 = (c1 + vec4<f32>(v24));
  let v26 = (v25 <= vec4<f32>(v18));
  let v27 = gc_hold_v4(v25);
  let v28 = select(v27, vec4<f32>(v18), v26);
  let i29 = ((((n * 8u) + (first + 1u)) * 30u) + position);
  y0[i29 + 0u] = v28.x;
  if (position + 1u < 30u) { y0[i29 + 1u] = v28.y; }
  if (position + 2u < 30u) { y0[i29 + 2u] = v28.z; }
  if (position + 3u < 30u) { y0[i29 + 3u] = v28.w; }
  let at30 = ((((n * 8u) + (first + 2u)) * 30u) + position);
  let v31 = x2[(first + 2u)];
  let v32 = (c2 + vec4<f32>(v31));
  let v33 = (v32 <= vec4<f32>(v18));
  let v34 = gc_hold_v4(v32);
  let v35 = select(v34, vec4<f32>(v18), v33);
  let i36 = ((((n * 8u) + (first + 2u)) * 30u) + position);
  y0[i36 + 0u] = v35.x;
  if (position + 1u < 30u) { y0[i36 + 1u] = v35.y; }
  if (position + 2u < 30u) { y0[i36 + 2u] = v35.z; }
  if (position + 3u < 30u) { y0[i36 + 3u] = v35.w; }
  let at37 = ((((n * 8u) + (first + 3u)) * 30u) + position);
  let v38 = x2[(first + 3u)];
  let v39 = (c3 + vec4<f32>(v38));
  let v40 = (v39 <= vec4<f32>(v18));
  let v41 = gc_hold_v4(v39);
  let v42 = select(v41, vec4<f32>(v18), v40);
  let i43 = ((((n * 8u) + (first + 3u)) * 30u) + position);
  y0[i43 + 0u] = v42.x;
  if (position + 1u < 30u) { y0[i43 + 1u] = v42.y; }
  if (position + 2u < 30u) { y0[i43 + 2u] = v42.z; }
  if (position + 3u < 30u) { y0[i43 + 3u] = v42.w; }
}
