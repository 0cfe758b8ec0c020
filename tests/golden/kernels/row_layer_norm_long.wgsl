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
  let v5 = gc_hold_v4(v4);
  let v6 = (v2 + v5);
  let v7 = (v1 + v3);
  let c2 = lane * 4u + 2048u;
  let v8 = x0[((row * 5000u) + c2) / 4u];
  let v9 = abs(v8);
  let v10 = (v6 + v9);
  let v11 = (v7 + v8);
  let c3 = lane * 4u + 3072u;
  let v12 = x0[((row * 5000u) + c3) / 4u];
  let v13 = abs(v12);
  let v14 = (v10 + v13);
  let v15 = (v11 + v12);
  let c4 = lane * 4u + 4096u;
  let v16 = c4 < 5000u;
  let v17 = x0[((row * 5000u) + c4) / 4u];
  let v18 = abs(v17);
  let v19 = select(vec4<f32>(f32(0)), v18, v16);
  let v20 = (v14 + v19);
  let v21 = select(vec4<f32>(f32(0)), v17, v16);
  let v22 = (v15 + v21);
  let v23 = (v20.x + v20.y);
  let v24 = (v20.z + v20.w);
  let v25 = (v23 + v24);
  shared_value_f32[lane] = v25;
  workgroupBarrier();
  if (lane < 128u) {
    let v26 = shared_value_f32[lane];
    let v27 = shared_value_f32[lane + 128u];
    let v28 = (v26 + v27);
    shared_value_f32[lane] = v28;
  }
  workgroupBarrier();
  if (lane < 64u) {
    let v29 = shared_value_f32[lane];
    let v30 = shared_value_f32[lane + 64u];
    let v31 = (v29 + v30);
    shared_value_f32[lane] = v31;
  }
  workgroupBarrier();
  if (lane < 32u) {
    let v32 = shared_value_f32[lane];
    let v33 = shared_value_f32[lane + 32u];
    let v34 = (v32 + v33);
    shared_value_f32[lane] = v34;
  }
  workgroupBarrier();
  if (lane < 16u) {
    let v35 = shared_value_f32[lane];
    let v36 = shared_value_f32[lane + 16u];
    let v37 = (v35 + v36);
    shared_value_f32[lane] = v37;
  }
  workgroupBarrier();
  if (lane < 8u) {
    let v38 = shared_value_f32[lane];
    let v39 = shared_value_f32[lane + 8u];
    let v40 = (v38 + v39);
    shared_value_f32[lane] = v40;
  }
  workgroupBarrier();
  if (lane < 4u) {
    let v41 = shared_value_f32[lane];
    let v42 = shared_value_f32[lane + 4u];
    let v43 = (v41 + v42);
    shared_value_f32[lane] = v43;
  }
  workgroupBarrier();
  if (lane < 2u) {
    let v44 = shared_value_f32[lane];
    let v45 = shared_value_f32[lane + 2u];
    let v46 = (v44 + v45);
    shared_value_f32[lane] = v46;
  }
  workgroupBarrier();
  if (lane < 1u) {
    let v47 = shared_value_f32[lane];
    let v48 = shared_value_f32[lane + 1u];
    let v49 = (v47 + v48);
    shared_value_f32[lane] = v49;
  }
  workgroupBarrier();
  let v50 = shared_value_f32[0u];
  workgroupBarrier();
  let v51 = (v50 / 5000.0);
  let v52 = (v22.x + v22.y);
  let v53 = (v22.z + v22.w);
  let v54 = (v52 + v53);
  shared_value_f32[lane] = v54;
  workgroupBarrier();
  if (lane < 128u) {
    let v55 = shared_value_f32[lane];
    let v56 = shared_value_f32[lane + 128u];
    let v57 = (v55 + v56);
    shared_value_f32[lane] = v57;
  }
  workgroupBarrier();
  if (lane < 64u) {
    let v58 = shared_value_f32[lane];
    let v59 = shared_value_f32[lane + 64u];
    let v60 = (v58 + v59);
    shared_value_f32[lane] = v60;
  }
  workgroupBarrier();
  if (lane < 32u) {
    let v61 = shared_value_f32[lane];
    let v62 = shared_value_f32[lane + 32u];
    let v63 = (v61 + v62);
    shared_value_f32[lane] = v63;
  }
  workgroupBarrier();
  if (lane < 16u) {
    let v64 = shared_value_f32[lane];
    let v65 = shared_value_f32[lane + 16u];
    let v66 = (v64 + v65);
    shared_value_f32[lane] = v66;
  }
  workgroupBarrier();
  if (lane < 8u) {
    let v67 = shared_value_f32[lane];
    let v68 = shared_value_f32[lane + 8u];
    let v69 = (v67 + v68);
    shared_value_f32[lane] = v69;
  }
  workgroupBarrier();
  if (lane < 4u) {
    let v70 = shared_value_f32[lane];
    let v71 = shared_value_f32[lane + 4u];
    let v72 = (v70 + v71);
    shared_value_f32[lane] = v72;
  }
  workgroupBarrier();
  if (lane < 2u) {
    let v73 = shared_value_f32[lane];
    let v74 = shared_value_f32[lane + 2u];
    let v75 = (v73 + v74);
    shared_value_f32[lane] = v75;
  }
  workgroupBarrier();
  if (lane < 1u) {
    let v76 = shared_value_f32[lane];
    let v77 = shared_value_f32[lane + 1u];
    let v78 = (v76 + v77);
    shared_value_f32[lane] = v78;
  }
  workgroupBarrier();
  let v79 = shared_value_f32[0u];
  workgroupBarrier();
  let v80 = (v79 / 5000.0);
  let v81 = (v1 - vec4<f32>(v80));
  let v82 = (v51 < 274877900000.0f);
  let v83 = 8.271806e-25f;
  let v84 = select(v83, 1.0f, v82);
  let v85 = (v81 * vec4<f32>(v84));
  let v86 = gc_hold_v4(v85);
  let v87 = (v85 * v86);
  let v88 = (v3 - vec4<f32>(v80));
  let v89 = (v88 * vec4<f32>(v84));
  let v90 = gc_hold_v4(v89);
  let v91 = (v89 * v90);
  let v92 = gc_hold_v4(v91);
  let v93 = (v87 + v92);
  let v94 = (v8 - vec4<f32>(v80));
  let v95 = (v94 * vec4<f32>(v84));
  let v96 = gc_hold_v4(v95);
  let v97 = (v95 * v96);
  let v98 = (v93 + v97);
  let v99 = (v12 - vec4<f32>(v80));
  let v100 = (v99 * vec4<f32>(v84));
  let v101 = gc_hold_v4(v100);
  let v102 = (v100 * v101);
  let v103 = (v98 + v102);
  let v104 = c4 < 5000u;
  let v105 = (v17 - vec4<f32>(v80));
  let v106 = (v105 * vec4<f32>(v84));
  let v107 = gc_hold_v4(v106);
  let v108 = (v106 * v107);
  let v109 = select(vec4<f32>(f32(0)), v108, v104);
  let v110 = (v103 + v109);
  let v111 = (v110.x + v110.y);
  let v112 = (v110.z + v110.w);
  let v113 = (v111 + v112);
  shared_value_f32[lane] = v113;
  workgroupBarrier();
  if (lane < 128u) {
    let v114 = shared_value_f32[lane];
    let v115 = shared_value_f32[lane + 128u];
    let v116 = (v114 + v115);
    shared_value_f32[lane] = v116;
  }
  workgroupBarrier();
  if (lane < 64u) {
    let v117 = shared_value_f32[lane];
    let v118 = shared_value_f32[lane + 64u];
    let v119 = (v117 + v118);
    shared_value_f32[lane] = v119;
  }
  workgroupBarrier();
  if (lane < 32u) {
    let v120 = shared_value_f32[lane];
    let v121 = shared_value_f32[lane + 32u];
    let v122 = (v120 + v121);
    shared_value_f32[lane] = v122;
  }
  workgroupBarrier();
  if (lane < 16u) {
    let v123 = shared_value_f32[lane];
    let v124 = shared_value_f32[lane + 16u];
    let v125 = (v123 + v124);
    shared_value_f32[lane] = v125;
  }
  workgroupBarrier();
  if (lane < 8u) {
    let v126 = shared_value_f32[lane];
    let v127 = shared_value_f32[lane + 8u];
    let v128 = (v126 + v127);
    shared_value_f32[lane] = v128;
  }
  workgroupBarrier();
  if (lane < 4u) {
    let v129 = shared_value_f32[lane];
    let v130 = shared_value_f32[lane + 4u];
    let v131 = (v129 + v130);
    shared_value_f32[lane] = v131;
  }
  workgroupBarrier();
  if (lane < 2u) {
    let v132 = shared_value_f32[lane];
    let v133 = shared_value_f32[lane + 2u];
    let v134 = (v132 + v133);
    shared_value_f32[lane] = v134;
  }
  workgroupBarrier();
  if (lane < 1u) {
    let v135 = shared_value_f32[lane];
    let v136 = shared_value_f32[lane + 1u];
    let v137 = (v135 + v136);
    shared_value_f32[lane] = v137;
  }
  workgroupBarrier();
  let v138 = shared_value_f32[0u];
  workgroupBarrier();
  let v139 = (v138 / 5000.0);
  let v140 = gc_hold(v84);
  let v141 = (v84 * v140);
  let v142 = gc_hold(0.00001f);
  let v143 = (v142 * v141);
  let v144 = (v139 + v143);
  let v145 = gc_hold(v144);
  let v146 = inverseSqrt(v145);
  let v147 = (v85 * vec4<f32>(v146));
  let v148 = x1[c0 / 4u];
  let v149 = (v147 * v148);
  let v150 = x2[c0 / 4u];
  let v151 = (v149 + v150);
  y0[((row * 5000u) + c0) / 4u] = v151;
  let v152 = (v89 * vec4<f32>(v146));
  let v153 = x1[c1 / 4u];
  let v154 = (v152 * v153);
  let v155 = x2[c1 / 4u];
  let v156 = (v154 + v155);
  y0[((row * 5000u) + c1) / 4u] = v156;
  let v157 = (v95 * vec4<f32>(v146));
  let v158 = x1[c2 / 4u];
  let v159 = (v157 * v158);
  let v160 = x2[c2 / 4u];
  let v161 = (v159 + v160);
  y0[((row * 5000u) + c2) / 4u] = v161;
  let v162 = (v100 * vec4<f32>(v146));
  let v163 = x1[c3 / 4u];
  let v164 = (v162 * v163);
  let v165 = x2[c3 / 4u];
  let v166 = (v164 + v165);
  y0[((row * 5000u) + c3) / 4u] = v166;
  let v167 = (v106 * vec4<f32>(v146));
  let v168 = x1[c4 / 4u];
  let v169 = (v167 * v168);
  let v170 = x2[c4 / 4u];
  let v171 = (v169 + v170);
  if (c4 < 5000u) {
    y0[((row * 5000u) + c4) / 4u] = v171;
  }
}
