// peak_chains: {{rounds}} rounds of 8 independent {{V}} multiply-adds an invocation, in registers
// grid: any number of workgroups of 256; needs: nothing, for halves shader-f16
{{enable}}
@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = group.x * 256u + lane;
  // Factor and term are read, so that no compiler can work the sums out beforehand.
  let m = {{V}}(x[0]);
  let t = {{V}}(x[1]);
  var a = {{V}}(x[2] + f32(lane));
  var b = a + t;
  var c = b + t;
  var d = c + t;
  var e = d + t;
  var f = e + t;
  var g = f + t;
  var h = g + t;
  for (var round = 0u; round < {{rounds}}u; round++) {
    a = fma(a, m, t);
    b = fma(b, m, t);
    c = fma(c, m, t);
    d = fma(d, m, t);
    e = fma(e, m, t);
    f = fma(f, m, t);
    g = fma(g, m, t);
    h = fma(h, m, t);
  }
  out[i] = vec4<f32>(a + b + c + d + e + f + g + h);
}
