// map_concatenate: workgroups [(1, 1, 1)], binds read, read_write
@group(0) @binding(0) var<storage, read> x0: array<f32>;
@group(0) @binding(1) var<storage, read_write> y0: array<vec4<f32>>;

// map: each output element is computed from the inputs on its own; concatenate
// grid: ceil(items / (64 x 1)) workgroups, folded into y; an item is 4 consecutive element(s)
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let first = (group.x + group.y * 1u) * 64u + local;
  for (var step = 0u; step < 1u; step++) {
    let i = first + step * 64u;
    if (i >= 12u) { return; }
    let at1 = ((((i * 4u) + vec4<u32>(0u, 1u, 2u, 3u)) / 5u) % 9u);
    let at2 = (((i * 4u) + vec4<u32>(0u, 1u, 2u, 3u)) % 5u);
    let at3 = ((at2 * 7u) + (6u - at1));
    let v4 = vec4<f32>(x0[at3.x], x0[at3.y], x0[at3.z], x0[at3.w]);
    let v5 = (((((i * 4u) + vec4<u32>(0u, 1u, 2u, 3u)) / 5u) % 9u) < vec4<u32>(7u));
    let v6 = select(vec4<f32>(1.0f), v4, v5);
    y0[i] = v6;
  }
}
