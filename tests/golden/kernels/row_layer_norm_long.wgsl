// row_abs_mean_lt_where_sub_and_3_more: workgroups [(3, 1, 1)], binds read, read, read, read_write
@group(0) @binding(0) var<storage, read> x0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> x1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> x2: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y0: array<vec4<f32>>;

fn gc_unknown() -> u32 {
  return select(0u, 1u, arrayLength(&x0) == 0u);
}
fn gc_hold(x: f32) -> f32 {
  return bitcast<f32>(bitcast<u32>(x) + u32(gc_unknown()));
}
fn gc_hold_v4(x: vec4<f32>) -> vec4<f32> {
  return bitcast<vec4<f32>>(bitcast<vec4<u32>>(x) + vec4<u32>(gc_unknown()));
}

// row: abs_mean_lt_where_sub_and_3_more; 3 rows of 5000 elements, reduced along the row
// grid: a workgroup for 1 row(s), each of them shared by 256 invocation(s); folded into y; needs: nothing
var<workgroup> shared_value_f32: array<f32, 256>;
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let row = group.x;
  let lane = local;
  if (group.x >= 3u) { return; }
  let c0 = lane * 4u;
  let v1 = x0[((row * 5000u) + c0) / 4u];
  let v2 = abs(v1);
  let c1 = lane * 4u + 1024u;
  let v3 = x0[((row * 5000u) + c1) / 4u];
  let v4 = abs(v3);
  let v5 = (v2 + v4);
  let v6 = (v1 + v3);
  let c2 = lane * 4u + 2048u;
  let v7 = x0[((row * 5000u) + c2) / 4u];
  let v8 = abs(v7);
  let v9 = (v5 + v8);
  let v10 = (v6 + v7);
  let c3 = lane * 4u + 3072u;
  let v11 = x0[((row * 5000u) + c3) / 4u];
  let v12 = abs(v11);
  let v13 = (v9 + v12);
  let v14 = (v10 + v11);
  let c4 = lane * 4u + 4096u;
  let v15 = c4 < 5000u;
  let v16 = x0[((row * 5000u) + c4) / 4u];
  let v17 = abs(v16);
  let v18 = select(vec4<f32>(f32(0)), v17, v15);
  let v19 = (v13 + v18);
  let v20 = select(vec4<f32>(f32(0)), v16, v15);
  let v21 = (v14 + v20);
  let v22 = (v19.x + v19.y);
  let v23 = (v19.z + v19.w);
  let v24 = (v22 + v23);
  shared_value_f32[lane] = v24;
  workgroupBarrier();
  if (lane < 128u) {
    let v25 = shared_value_f32[lane];
    let v26 = shared_value_f32[lane + 128u];
    let v27 = (v25 + v26);
    shared_value_f32[lane] = v27;
  }
  workgroupBarrier();
  if (lane < 64u) {
    let v28 = shared_value_f32[lane];
    let v29 = shared_value_f32[lane + 64u];
    let v30 = (v28 + v29);
    shared_value_f32[lane] = v30;
  }
  workgroupBarrier();
  if (lane < 32u) {
    let v31 = shared_value_f32[lane];
    let v32 = shared_value_f32[lane + 32u];
    let v33 = (v31 + v32);
    shared_value_f32[lane] = v33;
  }
  workgroupBarrier();
  if (lane < 16u) {
    let v34 = shared_value_f32[lane];
    let v35 = shared_value_f32[lane + 16u];
    let v36 = (v34 + v35);
    shared_value_f32[lane] = v36;
  }
  workgroupBarrier();
  if (lane < 8u) {
    let v37 = shared_value_f32[lane];
    let v38 = shared_value_f32[lane + 8u];
    let v39 = (v37 + v38);
    shared_value_f32[lane] = v39;
  }
  workgroupBarrier();
  if (lane < 4u) {
    let v40 = shared_value_f32[lane];
    let v41 = shared_value_f32[lane + 4u];
    let v42 = (v40 + v41);
    shared_value_f32[lane] = v42;
  }
  workgroupBarrier();
  if (lane < 2u) {
    let v43 = shared_value_f32[lane];
    let v44 = shared_value_f32[lane + 2u];
    let v45 = (v43 + v44);
    shared_value_f32[lane] = v45;
  }
  workgroupBarrier();
  if (lane < 1u) {
    let v46 = shared_value_f32[lane];
    let v47 = shared_value_f32[lane + 1u];
    let v48 = (v46 + v47);
    shared_value_f32[lane] = v48;
  }
  workgroupBarrier();
  let v49 = shared_value_f32[0u];
  workgroupBarrier();
  let v50 = (v49 / 5000.0);
  let v51 = (v21.x + v21.y);
  let v52 = (v21.z + v21.w);
  let v53 = (v51 + v52);
  shared_value_f32[lane] = v53;
  workgroupBarrier();
  if (lane < 128u) {
    let v54 = shared_value_f32[lane];
    let v55 = shared_value_f32[lane + 128u];
    let v56 = (v54 + v55);
    shared_value_f32[lane] = v56;
  }
  workgroupBarrier();
  if (lane < 64u) {
    let v57 = shared_value_f32[lane];
    let v58 = shared_value_f32[lane + 64u];
    let v59 = (v57 + v58);
    shared_value_f32[lane] = v59;
  }
  workgroupBarrier();
  if (lane < 32u) {
    let v60 = shared_value_f32[lane];
    let v61 = shared_value_f32[lane + 32u];
    let v62 = (v60 + v61);
    shared_value_f32[lane] = v62;
  }
  workgroupBarrier();
  if (lane < 16u) {
    let v63 = shared_value_f32[lane];
    let v64 = shared_value_f32[lane + 16u];
    let v65 = (v63 + v64);
    shared_value_f32[lane] = v65;
  }
  workgroupBarrier();
  if (lane < 8u) {
    let v66 = shared_value_f32[lane];
    let v67 = shared_value_f32[lane + 8u];
    let v68 = (v66 + v67);
    shared_value_f32[lane] = v68;
  }
  workgroupBarrier();
  if (lane < 4u) {
    let v69 = shared_value_f32[lane];
    let v70 = shared_value_f32[lane + 4u];
    let v71 = (v69 + v70);
    shared_value_f32[lane] = v71;
  }
  workgroupBarrier();
  if (lane < 2u) {
    let v72 = shared_value_f32[lane];
    let v73 = shared_value_f32[lane + 2u];
    let v74 = (v72 + v73);
    shared_value_f32[lane] = v74;
  }
  workgroupBarrier();
  if (lane < 1u) {
    let v75 = shared_value_f32[lane];
    let v76 = shared_value_f32[lane + 1u];
    let v77 = (v75 + v76);
    shared_value_f32[lane] = v77;
  }
  workgroupBarrier();
  let v78 = shared_value_f32[0u];
  workgroupBarrier();
  let v79 = (v78 / 5000.0);
  let v80 = (v1 - vec4<f32>(v79));
  let v81 = (v50 < 274877900000.0f);
  let v82 = 8.271806e-25f;
  let v83 = select(v82, 1.0f, v81);
  let v84 = (v80 * vec4<f32>(v83));
  let v85 = gc_hold_v4(v84);
  let v86 = (v84 * v85);
  let v87 = (v3 - vec4<f32>(v79));
  let v88 = (v87 * vec4<f32>(v83));
  let v89 = gc_hold_v4(v88);
  let v90 = (v88 * v89);
  let v91 = (v86 + v90);
  let v92 = (v7 - vec4<f32>(v79));
  let v93 = (v92 * vec4<f32>(v83));
  let v94 = gc_hold_v4(v93);
  let v95 = (v93 * v94);
  let v96 = (v91 + v95);
  let v97 = (v11 - vec4<f32>(v79));
  let v98 = (v97 * vec4<f32>(v83));
  let v99 = gc_hold_v4(v98);
  let v100 = (v98 * v99);
  let v101 = (v96 + v100);
  let v102 = c4 < 5000u;
  let v103 = (v16 - vec4<f32>(v79));
  let v104 = (v103 * vec4<f32>(v83));
  let v105 = gc_hold_v4(v104);
  let v106 = (v104 * v105);
  let v107 = select(vec4<f32>(f32(0)), v106, v102);
  let v108 = (v101 + v107);
  let v109 = (v108.x + v108.y);
  let v110 = (v108.z + v108.w);
  let v111 = (v109 + v110);
  shared_value_f32[lane] = v111;
  workgroupBarrier();
  if (lane < 128u) {
    let v112 = shared_value_f32[lane];
    let v113 = shared_value_f32[lane + 128u];
    let v114 = (v112 + v113);
    shared_value_f32[lane] = v114;
  }
  workgroupBarrier();
  if (lane < 64u) {
    let v115 = shared_value_f32[lane];
    let v116 = shared_value_f32[lane + 64u];
    let v117 = (v115 + v116);
    shared_value_f32[lane] = v117;
  }
  workgroupBarrier();
  if (lane < 32u) {
    let v118 = shared_value_f32[lane];
    let v119 = shared_value_f32[lane + 32u];
    let v120 = (v118 + v119);
    shared_value_f32[lane] = v120;
  }
  workgroupBarrier();
  if (lane < 16u) {
    let v121 = shared_value_f32[lane];
    let v122 = shared_value_f32[lane + 16u];
    let v123 = (v121 + v122);
    shared_value_f32[lane] = v123;
  }
  workgroupBarrier();
  if (lane < 8u) {
    let v124 = shared_value_f32[lane];
    let v125 = shared_value_f32[lane + 8u];
    let v126 = (v124 + v125);
    shared_value_f32[lane] = v126;
  }
  workgroupBarrier();
  if (lane < 4u) {
    let v127 = shared_value_f32[lane];
    let v128 = shared_value_f32[lane + 4u];
    let v129 = (v127 + v128);
    shared_value_f32[lane] = v129;
  }
  workgroupBarrier();
  if (lane < 2u) {
    let v130 = shared_value_f32[lane];
    let v131 = shared_value_f32[lane + 2u];
    let v132 = (v130 + v131);
    shared_value_f32[lane] = v132;
  }
  workgroupBarrier();
  if (lane < 1u) {
    let v133 = shared_value_f32[lane];
    let v134 = shared_value_f32[lane + 1u];
    let v135 = (v133 + v134);
    shared_value_f32[lane] = v135;
  }
  workgroupBarrier();
  let v136 = shared_value_f32[0u];
  workgroupBarrier();
  let v137 = (v136 / 5000.0);
  let v138 = gc_hold(v83);
  let v139 = (v83 * v138);
  let v140 = gc_hold(0.00001f);
  let v141 = (v140 * v139);
  let v142 = (v137 + v141);
  let v143 = gc_hold(v142);
  let v144 = inverseSqrt(v143);
  let v145 = (v84 * vec4<f32>(v144));
  let v146 = x1[c0 / 4u];
  let v147 = (v145 * v146);
  let v148 = x2[c0 / 4u];
  let v149 = (v147 + v148);
  y0[((row * 5000u) + c0) / 4u] = v149;
  let v150 = (v88 * vec4<f32>(v144));
  let v151 = x1[c1 / 4u];
  let v152 = (v150 * v151);
  let v153 = x2[c1 / 4u];
  let v154 = (v152 + v153);
  y0[((row * 5000u) + c1) / 4u] = v154;
  let v155 = (v93 * vec4<f32>(v144));
  let v156 = x1[c2 / 4u];
  let v157 = (v155 * v156);
  let v158 = x2[c2 / 4u];
  let v159 = (v157 + v158);
  y0[((row * 5000u) + c2) / 4u] = v159;
  let v160 = (v98 * vec4<f32>(v144));
  let v161 = x1[c3 / 4u];
  let v162 = (v160 * v161);
  let v163 = x2[c3 / 4u];
  let v164 = (v162 + v163);
  y0[((row * 5000u) + c3) / 4u] = v164;
  let v165 = (v104 * vec4<f32>(v144));
  let v166 = x1[c4 / 4u];
  let v167 = (v165 * v166);
  let v168 = x2[c4 / 4u];
  let v169 = (v167 + v168);
  if (c4 < 5000u) {
    y0[((row * 5000u) + c4) / 4u] = v169;
  }
}
