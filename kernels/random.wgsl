// Counter-based random bits: Threefry-2x32 with 20 rounds (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3").
// Integer arithmetic only, so every device makes the same bits.

fn gc_threefry{{S}}(key0: u32, key1: u32, counter0: {{U}}, counter1: {{U}}, second: {{B}}) -> {{U}} {
  // Word 0 of the block at (counter0, counter1), or word 1 where `second`.
  let key2 = key0 ^ key1 ^ 0x1bd11bdau;
  var x0 = counter0 + {{U}}(key0);
  var x1 = counter1 + {{U}}(key1);
  gc_threefry_mix{{S}}(&x0, &x1, 13u, 15u, 26u, 6u);
  x0 += {{U}}(key1);
  x1 += {{U}}(key2 + 1u);
  gc_threefry_mix{{S}}(&x0, &x1, 17u, 29u, 16u, 24u);
  x0 += {{U}}(key2);
  x1 += {{U}}(key0 + 2u);
  gc_threefry_mix{{S}}(&x0, &x1, 13u, 15u, 26u, 6u);
  x0 += {{U}}(key0);
  x1 += {{U}}(key1 + 3u);
  gc_threefry_mix{{S}}(&x0, &x1, 17u, 29u, 16u, 24u);
  x0 += {{U}}(key1);
  x1 += {{U}}(key2 + 4u);
  gc_threefry_mix{{S}}(&x0, &x1, 13u, 15u, 26u, 6u);
  x0 += {{U}}(key2);
  x1 += {{U}}(key0 + 5u);
  return select(x0, x1, second);
}

fn gc_threefry_mix{{S}}(x0: ptr<function, {{U}}>, x1: ptr<function, {{U}}>, a: u32, b: u32, c: u32, d: u32) {
  *x0 += *x1;
  *x1 = gc_rotate{{S}}(*x1, a) ^ *x0;
  *x0 += *x1;
  *x1 = gc_rotate{{S}}(*x1, b) ^ *x0;
  *x0 += *x1;
  *x1 = gc_rotate{{S}}(*x1, c) ^ *x0;
  *x0 += *x1;
  *x1 = gc_rotate{{S}}(*x1, d) ^ *x0;
}

fn gc_rotate{{S}}(x: {{U}}, n: u32) -> {{U}} {
  return (x << {{U}}(n)) | (x >> {{U}}(32u - n));
}
