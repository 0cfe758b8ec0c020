// peak_stream: out = x, {{each}} vec4 an invocation, neighbours side by side: the rate of memory, on any adapter
// grid: ceil(vectors / (256 * each)); workgroup 256; needs: nothing
@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let first = group.x * {{span}}u + lane;
{{moves}}
}
