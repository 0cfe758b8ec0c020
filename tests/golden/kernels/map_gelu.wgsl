// map_mul_erf_add: workgroups [(1, 1, 1)], binds read, read, read_write
@group(0) @binding(0) var<storage, read> x0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> x1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y0: array<vec4<f32>>;

fn gc_unknown() -> u32 {
  return select(0u, 1u, arrayLength(&x0) == 0u);
}
fn gc_hold(x: f32) -> f32 {
  return bitcast<f32>(bitcast<u32>(x) + u32(gc_unknown()));
}
fn gc_isnan_v4(x: vec4<f32>) -> vec4<bool> {
  return (bitcast<vec4<u32>>(x) & vec4<u32>(0x7fffffffu)) > vec4<u32>(0x7f800000u);
}
fn gc_inf_v4(x: vec4<f32>) -> vec4<f32> {
  return bitcast<vec4<f32>>((bitcast<vec4<u32>>(x) & vec4<u32>(0u)) | vec4<u32>(0x7f800000u));
}
fn gc_scale_v4(x: vec4<f32>, n: vec4<i32>) -> vec4<f32> {
  let half = n >> vec4<u32>(1u);
  let rest = n - half;
  return x * bitcast<vec4<f32>>((half + 127) << vec4<u32>(23u)) * bitcast<vec4<f32>>((rest + 127) << vec4<u32>(23u));
}
fn gc_exp_tail_v4(r: vec4<f32>) -> vec4<f32> {
  return r * r * ((((0.0013946552 * r + 0.008366644) * r + 0.04166628) * r + 0.16666542) * r + 0.5);
}
fn gc_exp_v4(x: vec4<f32>) -> vec4<f32> {
  let t = clamp(x, vec4<f32>(-104.0), vec4<f32>(89.0));
  let n = round(t * 1.442695);
  let r = (t - n * 0.693359375) + n * 2.1219444e-4;
  let y = gc_scale_v4(1.0 + (r + gc_exp_tail_v4(r)), vec4<i32>(n));
  let bounded = select(select(y, gc_inf_v4(x), x > vec4<f32>(88.72283172607422)), vec4<f32>(0.0), x < vec4<f32>(-104.0));
  return select(bounded, x, gc_isnan_v4(x));
}
fn gc_erf_v4(x: vec4<f32>) -> vec4<f32> {
  let a = min(abs(x), vec4<f32>(4.0));
  let u = a * a;
  var p = -0.00059768936 * u + 0.00499098;
  p = p * u - 0.026765566;
  p = p * u + 0.112818025;
  p = p * u - 0.37612495;
  p = p * u + 0.12837915;
  var q = 0.00019593826 * a - 0.0030432267;
  q = q * a + 0.022226956;
  q = q * a - 0.103931665;
  q = q * a - 0.6371822;
  q = q * a - 1.1276757;
  q = q * a - 0.00019566654;
  let y = select(1.0 - gc_exp_v4(q), a * (1.0 + p), a < vec4<f32>(0.92));
  return select(gc_copysign_v4(y, x), x, gc_isnan_v4(x));
}
fn gc_copysign_v4(a: vec4<f32>, b: vec4<f32>) -> vec4<f32> {
  return select(abs(a), -abs(a), bitcast<vec4<i32>>(b) < vec4<i32>(0));
}

// map: each output element is computed from the inputs on its own; mul_erf_add
// grid: ceil(items / (64 x 1)) workgroups, folded into y; an item is 4 consecutive element(s)
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let first = (group.x + group.y * 1u) * 64u + local;
  for (var step = 0u; step < 1u; step++) {
    let i = first + step * 64u;
    if (i >= 48u) { return; }
    let v1 = x0[i];
    let v2 = (vec4<f32>(0.5f) * v1);
    let v3 = (v1 * vec4<f32>(0.70710677f));
    let v4 = gc_erf_v4(v3);
    let v5 = (vec4<f32>(1.0f) + v4);
    let v6 = (v2 * v5);
    let v7 = x1[i];
    let v8 = (v6 * v7);
    let v9 = gc_hold(1.0f);
    let v10 = (v8 + vec4<f32>(v9));
    y0[i] = v10;
  }
}
