{{functions}}

// megakernel: {{count}} small kernels, one after the other, in one workgroup; a barrier where one needs what another wrote
// grid: one workgroup; what were workgroups and invocations of a kernel is shared out over its {{size}} invocations
@compute @workgroup_size({{size}})
fn main(@builtin(local_invocation_index) local: u32) {
{{members}}
}
