// {{what}}
// grid: one workgroup (one subgroup) for {{rows}} rows of one batch element, {{each}} blocks of rows each; folded into y.
// It visits the other side in steps of {{step}}: each lane holds four scores of every row.
fn weight_v4(x: vec4<f32>) -> vec4<f32> {
  return select(exp(x), x, gc_isnan_v4(x));
}

fn highest(x: f32) -> f32 {
  {{highest}}
}

fn added(x: f32) -> f32 {
  {{added}}
}

@compute @workgroup_size({{lanes}})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let block = group.x + group.y * {{columns}}u;
  if (block >= {{blocks}}u) { return; }
  let batch = block / {{each}}u;
  let first = block % {{each}}u * {{rows}}u;
  let four_on = (lane + 4u) % {{lanes}}u;
{{start}}
{% if forward %}
{% for r in each_row %}
  var top{{r}} = {{lowest}};
  var total{{r}} = 0.0;
{% end %}
{% end %}
{% for name, weight, loaded, pieces in sums %}
{% for r in each_row %}
{% for p, apart, v0, v1, v2, v3 in pieces %}
  var {{name}}{{r}}_{{p}} = vec4<f32>();
{% end %}
{% end %}
{% end %}
{% if taken_up %}
{{taken_up}}
{% end %}
  let end = {{end}};
  for (var next = {{begin}}; next < end; next += {{step}}u) {  // at most {{steps}} turns
    let at = vec4<u32>(next + lane / 4u * 16u + lane % 4u) + vec4<u32>(0u, 4u, 8u, 12u);
    let n0 = min(at.x, {{last}}u);
    let n1 = min(at.y, {{last}}u);
    let n2 = min(at.z, {{last}}u);
    let n3 = min(at.w, {{last}}u);
{% if drawn %}
{{drawn}}
{% end %}
    // Scores: a row's stay in registers while its terms are added, all columns first, then row by row.
{% for name, parts in products %}
{% for r in each_row %}
    var {{name}}{{r}} = {{zero}};
{% end %}
{% for head, loaded, of_columns, of_rows in parts %}
    {{head}}{
{{loaded}}
{% for t, values in of_columns %}
      let c{{t}} = vec4<f32>({{values}});
{% end %}
{% for r, t, value in of_rows %}
      {{name}}{{r}} += {{value}} * c{{t}};
{% end %}
    }
{% end %}
{% end %}
{% if forward %}
    // Weights, by the highest score so far. Where a higher one is found, what was summed before shrinks.
{% for r, seen, kept, lse, delta in weighed %}
    s{{r}} *= {{scale}};
{% if seen %}
    let seen{{r}} = {{seen}};
    let best{{r}} = select(vec4<f32>({{lowest}}), s{{r}}, seen{{r}});
{% else %}
    let best{{r}} = s{{r}};
{% end %}
    {
      let now = max(top{{r}}, highest(max(max(best{{r}}.x, best{{r}}.y), max(best{{r}}.z, best{{r}}.w))));
      let shrink = exp(top{{r}} - now);
{% if seen %}
      s{{r}} = select(vec4<f32>(), weight_v4(s{{r}} - now), seen{{r}});
{% else %}
      s{{r}} = weight_v4(s{{r}} - now);
{% end %}
      total{{r}} = total{{r}} * shrink + ((s{{r}}.x + s{{r}}.y) + (s{{r}}.z + s{{r}}.w));
      top{{r}} = now;
{% if kept %}
      s{{r}} = select(vec4<f32>(), s{{r}} * {{boost}}, {{kept}});
{% end %}
{% for p in vectors %}
      o{{r}}_{{p}} *= shrink;
{% end %}
    }
{% end %}
{% else %}
    // Weights, from the logarithms of the sums of the forward pass; g: the gradients of the scores.
{% if column_values %}
{{column_values}}
{% end %}
{% for r, seen, kept, lse, delta in weighed %}
{% if seen %}
    s{{r}} = select(vec4<f32>(), weight_v4(s{{r}} * {{scale}} - {{lse}}), {{seen}});
{% else %}
    s{{r}} = weight_v4(s{{r}} * {{scale}} - {{lse}});
{% end %}
{% if gradients %}
{% if kept %}
    g{{r}} = s{{r}} * (select(vec4<f32>(), g{{r}} * {{boost}}, {{kept}}) - {{delta}}) * {{scale}};
{% else %}
    g{{r}} = s{{r}} * (g{{r}} - {{delta}}) * {{scale}};
{% end %}
{% end %}
{% if weights %}
{% if kept %}
    s{{r}} = select(vec4<f32>(), s{{r}} * {{boost}}, {{kept}});
{% end %}
{% end %}
{% end %}
{% end %}
    // Sums of the weighted rows of the other side: four columns at a time, those in the x of the first four lanes.
    // Then the weights move on: y, z and w to x, and after these the x of the next four lanes, so that the code is short.
    for (var j = next; j < min(end, next + {{step}}u); j += 4u) {  // at most {{quarters}} turns
      let m0 = min(j + 0u, {{last}}u);
      let m1 = min(j + 1u, {{last}}u);
      let m2 = min(j + 2u, {{last}}u);
      let m3 = min(j + 3u, {{last}}u);
{% for name, weight, loaded, pieces in sums %}
{{loaded}}
{% for r in each_row %}
      {
        let x0 = subgroupBroadcast({{weight}}{{r}}.x, 0u);
        let x1 = subgroupBroadcast({{weight}}{{r}}.x, 1u);
        let x2 = subgroupBroadcast({{weight}}{{r}}.x, 2u);
        let x3 = subgroupBroadcast({{weight}}{{r}}.x, 3u);
{% for p, apart, v0, v1, v2, v3 in pieces %}
        {{name}}{{r}}_{{p}} += (x0 * {{v0}} + {{apart}}(x1 * {{v1}})) + (x2 * {{v2}} + {{apart}}(x3 * {{v3}}));
{% end %}
      }
{% end %}
{% end %}
{% for weight in moved %}
{% for r in each_row %}
      {{weight}}{{r}} = vec4<f32>({{weight}}{{r}}.yzw, subgroupShuffle({{weight}}{{r}}.x, four_on));
{% end %}
{% end %}
    }
  }
{% if left %}
{{left}}
{% else %}
{% if forward %}
{% for r in each_row %}
  let sum{{r}} = added(total{{r}});
{% end %}
{% if logarithms %}
{{logarithms}}
{% end %}
{% for r in each_row %}
  let part{{r}} = 1.0 / sum{{r}};
{% end %}
{% end %}
{{stored}}
{% end %}
}
