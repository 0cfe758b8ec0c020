// peak_multiply_add: {{rounds}} rounds of 8 independent vec4 multiply-adds an invocation, nothing but registers between
// grid: {{groups}} workgroups of 64; needs: nothing
@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = group.x * 64u + lane;
  // Factor and term are read, so that no compiler can work the sums out beforehand.
  let m = x[0];
  let t = x[1];
  var a = x[i];
  var b = a + t;
  var c = b + t;
  var d = c + t;
  var e = d + t;
  var f = e + t;
  var g = f + t;
  var h = g + t;
  for (var round = 0u; round < {{rounds}}u; round++) {
    a = a * m + t;
    b = b * m + t;
    c = c * m + t;
    d = d * m + t;
    e = e * m + t;
    f = f * m + t;
    g = g * m + t;
    h = h * m + t;
  }
  out[i] = a + b + c + d + e + f + g + h;
}
