// peak_copy: out = x, 4 vec4 an invocation; {{vectors}} vec4 in all: how fast memory can be read and written
// grid: ceil(vectors / 256), folded into y; workgroup 64; needs: nothing
@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let first = ((group.x + group.y * {{across}}u) * 64u + lane) * 4u;
  if (first + 3u >= {{vectors}}u) { return; }
  out[first] = x[first];
  out[first + 1u] = x[first + 1u];
  out[first + 2u] = x[first + 2u];
  out[first + 3u] = x[first + 3u];
}
