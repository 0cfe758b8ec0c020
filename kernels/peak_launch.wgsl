// peak_launch: one number changes, by one workgroup: what a dispatch takes that does nothing
// grid: 1; workgroup 64; needs: nothing
@group(0) @binding(0) var<storage, read_write> out: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32) {
  out[lane] += 1u;
}
