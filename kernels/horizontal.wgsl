// horizontal: independent kernels in one launch; the first workgroups run the first one, and so on
// grid: the workgroups of all kernels, in a row
{{functions}}

@compute @workgroup_size({{size}})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
{{calls}}
}
