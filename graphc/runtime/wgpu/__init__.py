"""The device kind of WebGPU adapters. The only place that imports wgpu, but for the list of adapters."""
