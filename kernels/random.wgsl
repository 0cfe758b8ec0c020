// Counter-based random bits: Threefry-2x32 with 20 rounds (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3").
// Integer arithmetic only, so every device makes the same bits.

fn gc_threefry{{S}}(key0: u32, key1: u32, counter0: {{U}}, counter1: {{U}}, second: {{B}}) -> {{U}} {
  // Word 0 of the block at (counter0, counter1), or word 1 where `second`.
  return gc_threefry_each{{S}}({{U}}(key0), {{U}}(key1), counter0, counter1, second);
}

fn gc_threefry_each{{S}}(key0: {{U}}, key1: {{U}}, counter0: {{U}}, counter1: {{U}}, second: {{B}}) -> {{U}} {
  // The same with a key for each lane.
  let key2 = key0 ^ key1 ^ {{U}}(0x1bd11bdau);
  var x0 = counter0 + key0;
  var x1 = counter1 + key1;
  gc_threefry_mix{{S}}(&x0, &x1, 13u, 15u, 26u, 6u);
  x0 += key1;
  x1 += key2 + {{U}}(1u);
  gc_threefry_mix{{S}}(&x0, &x1, 17u, 29u, 16u, 24u);
  x0 += key2;
  x1 += key0 + {{U}}(2u);
  gc_threefry_mix{{S}}(&x0, &x1, 13u, 15u, 26u, 6u);
  x0 += key0;
  x1 += key1 + {{U}}(3u);
  gc_threefry_mix{{S}}(&x0, &x1, 17u, 29u, 16u, 24u);
  x0 += key1;
  x1 += key2 + {{U}}(4u);
  gc_threefry_mix{{S}}(&x0, &x1, 13u, 15u, 26u, 6u);
  x0 += key2;
  x1 += key0 + {{U}}(5u);
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
