// Elementary functions: the same numbers on every driver, for scalars and vec4.
// Holes: S name suffix ("" or "_v4"); F, I, U, B the float, int, uint and bool type of that width.
//
// WGSL's own functions are only as good as the driver, and drivers may assume that no value is NaN or infinite. So
// special values are told by their bits, and each function is built from additions, multiplications, bit operations
// and the built-ins that are exact everywhere (floor, abs, select).

fn gc_isnan{{S}}(x: {{F}}) -> {{B}} {
  return (bitcast<{{U}}>(x) & {{U}}(0x7fffffffu)) > {{U}}(0x7f800000u);
}

fn gc_isinf{{S}}(x: {{F}}) -> {{B}} {
  return (bitcast<{{U}}>(x) & {{U}}(0x7fffffffu)) == {{U}}(0x7f800000u);
}

fn gc_isfinite{{S}}(x: {{F}}) -> {{B}} {
  return (bitcast<{{U}}>(x) & {{U}}(0x7f800000u)) != {{U}}(0x7f800000u);
}

// np.maximum: NaN wins over every number.
fn gc_max{{S}}(a: {{F}}, b: {{F}}) -> {{F}} {
  return select(select(max(a, b), b, gc_isnan{{S}}(b)), a, gc_isnan{{S}}(a));
}

// np.minimum: NaN wins over every number.
fn gc_min{{S}}(a: {{F}}, b: {{F}}) -> {{F}} {
  return select(select(min(a, b), b, gc_isnan{{S}}(b)), a, gc_isnan{{S}}(a));
}

// np.sign: NaN stays NaN.
fn gc_sign{{S}}(x: {{F}}) -> {{F}} {
  return select(sign(x), x, gc_isnan{{S}}(x));
}

// np.rint: half to even.
fn gc_round{{S}}(x: {{F}}) -> {{F}} {
  return round(x);
}

fn gc_exp{{S}}(x: {{F}}) -> {{F}} {
  return exp(x);
}

fn gc_log{{S}}(x: {{F}}) -> {{F}} {
  return log(x);
}

fn gc_tanh{{S}}(x: {{F}}) -> {{F}} {
  return tanh(clamp(x, {{F}}(-15.0), {{F}}(15.0)));
}

fn gc_sigmoid{{S}}(x: {{F}}) -> {{F}} {
  return {{F}}(1.0) / ({{F}}(1.0) + exp(-x));
}

fn gc_log1p{{S}}(x: {{F}}) -> {{F}} {
  return log({{F}}(1.0) + x);
}

fn gc_expm1{{S}}(x: {{F}}) -> {{F}} {
  return exp(x) - {{F}}(1.0);
}

fn gc_pow{{S}}(x: {{F}}, y: {{F}}) -> {{F}} {
  return pow(x, y);
}

fn gc_sin{{S}}(x: {{F}}) -> {{F}} {
  return sin(x);
}

fn gc_cos{{S}}(x: {{F}}) -> {{F}} {
  return cos(x);
}

fn gc_erf{{S}}(x: {{F}}) -> {{F}} {
  return gc_tanh{{S}}(x * 1.1283792);
}
