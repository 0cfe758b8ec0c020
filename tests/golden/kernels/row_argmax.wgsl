// row_argmax: workgroups [(12, 1, 1)], binds read, read_write
@group(0) @binding(0) var<storage, read> x0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> y0: array<i32>;

fn gc_isnan(x: f32) -> bool {
  return (bitcast<u32>(x) & u32(0x7fffffffu)) > u32(0x7f800000u);
}
fn gc_isnan_v4(x: vec4<f32>) -> vec4<bool> {
  return (bitcast<vec4<u32>>(x) & vec4<u32>(0x7fffffffu)) > vec4<u32>(0x7f800000u);
}

// row: argmax; 12 rows of 256 elements, reduced along the row
// grid: a workgroup for 1 row(s), each of them shared by 16 invocation(s); folded into y; needs: nothing
var<workgroup> shared_value_f32: array<f32, 16>;
var<workgroup> shared_position_u32: array<u32, 16>;
@compute @workgroup_size(16)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let row = group.x;
  let lane = local;
  if (group.x >= 12u) { return; }
  let c0 = lane * 4u;
  let v1 = x0[((row * 256u) + c0) / 4u];
  let v2 = (c0 + vec4<u32>(0u, 1u, 2u, 3u));
  let c1 = lane * 4u + 64u;
  let v3 = x0[((row * 256u) + c1) / 4u];
  let v4 = (c1 + vec4<u32>(0u, 1u, 2u, 3u));
  let v5 = (((gc_isnan_v4(v3) | (v3 > v1)) & !gc_isnan_v4(v1))) | (!(((gc_isnan_v4(v1) | (v1 > v3)) & !gc_isnan_v4(v3))) & (v4 < v2));
  let v6 = select(v1, v3, v5);
  let v7 = select(v2, v4, v5);
  let c2 = lane * 4u + 128u;
  let v8 = x0[((row * 256u) + c2) / 4u];
  let v9 = (c2 + vec4<u32>(0u, 1u, 2u, 3u));
  let v10 = (((gc_isnan_v4(v8) | (v8 > v6)) & !gc_isnan_v4(v6))) | (!(((gc_isnan_v4(v6) | (v6 > v8)) & !gc_isnan_v4(v8))) & (v9 < v7));
  let v11 = select(v6, v8, v10);
  let v12 = select(v7, v9, v10);
  let c3 = lane * 4u + 192u;
  let v13 = x0[((row * 256u) + c3) / 4u];
  let v14 = (c3 + vec4<u32>(0u, 1u, 2u, 3u));
  let v15 = (((gc_isnan_v4(v13) | (v13 > v11)) & !gc_isnan_v4(v11))) | (!(((gc_isnan_v4(v11) | (v11 > v13)) & !gc_isnan_v4(v13))) & (v14 < v12));
  let v16 = select(v11, v13, v15);
  let v17 = select(v12, v14, v15);
  let v18 = (((gc_isnan(v16.y) | (v16.y > v16.x)) & !gc_isnan(v16.x))) | (!(((gc_isnan(v16.x) | (v16.x > v16.y)) & !gc_isnan(v16.y))) & (v17.y < v17.x));
  let v19 = select(v16.x, v16.y, v18);
  let v20 = select(v17.x, v17.y, v18);
  let v21 = (((gc_isnan(v16.w) | (v16.w > v16.z)) & !gc_isnan(v16.z))) | (!(((gc_isnan(v16.z) | (v16.z > v16.w)) & !gc_isnan(v16.w))) & (v17.w < v17.z));
  let v22 = select(v16.z, v16.w, v21);
  let v23 = select(v17.z, v17.w, v21);
  let v24 = (((gc_isnan(v22) | (v22 > v19)) & !gc_isnan(v19))) | (!(((gc_isnan(v19) | (v19 > v22)) & !gc_isnan(v22))) & (v23 < v20));
  let v25 = select(v19, v22, v24);
  let v26 = select(v20, v23, v24);
  shared_value_f32[lane] = v25;
  shared_position_u32[lane] = v26;
  workgroupBarrier();
  if (lane < 8u) {
    let v27 = shared_value_f32[lane];
    let v28 = shared_value_f32[lane + 8u];
    let v29 = shared_position_u32[lane];
    let v30 = shared_position_u32[lane + 8u];
    let v31 = (((gc_isnan(v28) | (v28 > v27)) & !gc_isnan(v27))) | (!(((gc_isnan(v27) | (v27 > v28)) & !gc_isnan(v28))) & (v30 < v29));
    let v32 = select(v27, v28, v31);
    let v33 = select(v29, v30, v31);
    shared_value_f32[lane] = v32;
    shared_position_u32[lane] = v33;
  }
  workgroupBarrier();
  if (lane < 4u) {
    let v34 = shared_value_f32[lane];
    let v35 = shared_value_f32[lane + 4u];
    let v36 = shared_position_u32[lane];
    let v37 = shared_position_u32[lane + 4u];
    let v38 = (((gc_isnan(v35) | (v35 > v34)) & !gc_isnan(v34))) | (!(((gc_isnan(v34) | (v34 > v35)) & !gc_isnan(v35))) & (v37 < v36));
    let v39 = select(v34, v35, v38);
    let v40 = select(v36, v37, v38);
    shared_value_f32[lane] = v39;
    shared_position_u32[lane] = v40;
  }
  workgroupBarrier();
  if (lane < 2u) {
    let v41 = shared_value_f32[lane];
    let v42 = shared_value_f32[lane + 2u];
    let v43 = shared_position_u32[lane];
    let v44 = shared_position_u32[lane + 2u];
    let v45 = (((gc_isnan(v42) | (v42 > v41)) & !gc_isnan(v41))) | (!(((gc_isnan(v41) | (v41 > v42)) & !gc_isnan(v42))) & (v44 < v43));
    let v46 = select(v41, v42, v45);
    let v47 = select(v43, v44, v45);
    shared_value_f32[lane] = v46;
    shared_position_u32[lane] = v47;
  }
  workgroupBarrier();
  if (lane < 1u) {
    let v48 = shared_value_f32[lane];
    let v49 = shared_value_f32[lane + 1u];
    let v50 = shared_position_u32[lane];
    let v51 = shared_position_u32[lane + 1u];
    let v52 = (((gc_isnan(v49) | (v49 > v48)) & !gc_isnan(v48))) | (!(((gc_isnan(v48) | (v48 > v49)) & !gc_isnan(v49))) & (v51 < v50));
    let v53 = select(v48, v49, v52);
    let v54 = select(v50, v51, v52);
    shared_value_f32[lane] = v53;
    shared_position_u32[lane] = v54;
  }
  workgroupBarrier();
  let v55 = shared_value_f32[0u];
  let v56 = shared_position_u32[0u];
  workgroupBarrier();
  let v57 = i32(v56);
  if (lane == 0u) {
    y0[row] = v57;
  }
}
