// Arithmetic that WGSL has no operator for: exact remainders of floats, integer powers, values given by their bits.
// Holes: S name suffix ("" or "_v4"); F, I, U, B the float, int, uint and bool type of that width.

// The float with these bits. An infinite constant expression is an error in WGSL, the result of a function is not.
fn gc_from_bits{{S}}(bits: {{U}}) -> {{F}} {
  return bitcast<{{F}}>(bits);
}

// np.fmod: x - y * trunc(x / y), exact. Long division of the mantissas, 8 bits at a time, in integers.
fn gc_fmod{{S}}(x: {{F}}, y: {{F}}) -> {{F}} {
  let one = {{U}}(1u);
  let leading = {{U}}(0x800000u);
  let size_x = bitcast<{{U}}>(x) & {{U}}(0x7fffffffu);
  let size_y = bitcast<{{U}}>(y) & {{U}}(0x7fffffffu);
  let exponent_x = max(size_x >> {{U}}(23u), one);
  let exponent_y = max(size_y >> {{U}}(23u), one);
  let divisor = max((size_y & {{U}}(0x7fffffu)) | select({{U}}(0u), leading, size_y >= leading), one);
  var rest = ((size_x & {{U}}(0x7fffffu)) | select({{U}}(0u), leading, size_x >= leading)) % divisor;
  var left = select({{U}}(0u), exponent_x - exponent_y, exponent_x > exponent_y);
  while (any(left > {{U}}(0u))) {  // at most 32 turns
    let step = min(left, {{U}}(8u));
    rest = (rest << step) % divisor;
    left = left - step;
  }
  let shift = countLeadingZeros(rest) - {{U}}(8u);
  let normal = ((exponent_y - shift) << {{U}}(23u)) | ((rest << (shift & {{U}}(31u))) & {{U}}(0x7fffffu));
  let subnormal = rest << (min(exponent_y - one, {{U}}(31u)));
  var bits = select(subnormal, normal, (exponent_y > shift) & (rest > {{U}}(0u)));
  bits = select(bits, {{U}}(0u), rest == {{U}}(0u));
  bits = select(bits, size_x, size_x < size_y) | (bitcast<{{U}}>(x) & {{U}}(0x80000000u));
  let infinite = {{U}}(0x7f800000u);
  let invalid = (size_x >= infinite) | (size_y > infinite) | (size_y == {{U}}(0u));
  return bitcast<{{F}}>(select(bits, {{U}}(0x7fc00000u), invalid));
}

// np.remainder: the sign of y.
fn gc_mod{{S}}(x: {{F}}, y: {{F}}) -> {{F}} {
  let rest = gc_fmod{{S}}(x, y);
  let zero = {{F}}(0.0);
  let signed_zero = bitcast<{{F}}>(bitcast<{{U}}>(y) & {{U}}(0x80000000u));
  return select(select(rest, rest + y, (y < zero) != (rest < zero)), signed_zero, rest == zero);
}

// np.floor_divide: (x - mod(x, y)) / y, brought to the nearest integer.
fn gc_floordiv{{S}}(x: {{F}}, y: {{F}}) -> {{F}} {
  let rest = gc_fmod{{S}}(x, y);
  let zero = {{F}}(0.0);
  let one = {{F}}(1.0);
  let ratio = x / y;
  let borrow = (rest != zero) & ((y < zero) != (rest < zero));
  let quotient = (x - rest) / y - select(zero, one, borrow);
  let below = floor(quotient);
  let nearest = select(below, below + one, quotient - below > {{F}}(0.5));
  let signed_zero = bitcast<{{F}}>((bitcast<{{U}}>(x) ^ bitcast<{{U}}>(y)) & {{U}}(0x80000000u));
  let result = select(nearest, signed_zero, quotient == zero);
  let invalid = bitcast<{{F}}>(bitcast<{{U}}>(rest) | {{U}}(0x7fc00000u));
  let is_nan = (bitcast<{{U}}>(rest) & {{U}}(0x7fffffffu)) > {{U}}(0x7f800000u);
  return select(select(result, invalid, is_nan), ratio, y == zero);
}

// x ** y by squaring, modulo 2**32; a negative power is 1 / x ** -y rounded towards zero.
fn gc_ipow{{S}}(x: {{I}}, y: {{I}}) -> {{I}} {
  let zero = {{I}}(0);
  let power = bitcast<{{I}}>(gc_upow{{S}}(bitcast<{{U}}>(x), bitcast<{{U}}>(max(y, zero))));
  let odd = select({{I}}(1), x, (y & {{I}}(1)) != zero);
  let inverse = select(zero, odd, abs(x) == {{I}}(1));
  return select(power, inverse, y < zero);
}

// x ** y by squaring, modulo 2**32.
fn gc_upow{{S}}(x: {{U}}, y: {{U}}) -> {{U}} {
  var base = x;
  var left = y;
  var result = {{U}}(1u);
  while (any(left > {{U}}(0u))) {  // at most 32 turns
    result = select(result, result * base, (left & {{U}}(1u)) != {{U}}(0u));
    base = base * base;
    left = left >> {{U}}(1u);
  }
  return result;
}
