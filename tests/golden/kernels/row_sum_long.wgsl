// row_sum: workgroups [(12, 1, 1)], binds read, read_write, needs subgroup
@group(0) @binding(0) var<storage, read> x0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> y0: array<f32>;

fn gc_unknown() -> u32 {
  return select(0u, 1u, arrayLength(&x0) == 0u);
}
fn gc_hold_v4(x: vec4<f32>) -> vec4<f32> {
  return bitcast<vec4<f32>>(bitcast<vec4<u32>>(x) + vec4<u32>(gc_unknown()));
}

// row: sum; 12 rows of 4000 elements, reduced along the row
// grid: a workgroup for 1 row(s), each of them shared by 8 invocation(s); folded into y; needs: subgroup
@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let row = group.x;
  let lane = local;
  if (group.x >= 12u) { return; }
  let v2 = gc_hold_v4(vec4<f32>(f32(0)));
  var acc1 = v2;
  for (var start = 0u; start < 125u; start += 16u) {
    var block4 = v2;
    for (var item = start; item < min(start + 16u, 125u); item++) {  // at most 16 turns
      let c6 = (item * 8u + lane) * 4u;
      let v7 = x0[((row * 4000u) + c6) / 4u];
      let v8 = (block4 + v7);
      block4 = v8;
    }
    let v9 = (acc1 + block4);
    acc1 = v9;
  }
  let v10 = (acc1.x + acc1.y);
  let v11 = (acc1.z + acc1.w);
  let v12 = (v10 + v11);
  let v13 = subgroupAdd(v12);
  if (lane == 0u) {
    y0[row] = v13;
  }
}
