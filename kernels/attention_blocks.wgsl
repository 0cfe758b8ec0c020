// {{what}}
// grid: one workgroup for {{rows}} rows of one batch element, {{each}} blocks of rows each, {{order}}; folded into y.
// It visits the other side in steps of {{step}} columns. Each of its {{groups}} bands of {{lanes}} lanes holds the scores of
// {{own}} rows, {{groups}} apart, at {{wide}} columns a lane, {{lanes}} apart. What is multiplied goes through workgroup memory,
// {{depth}} vectors of each row and column at a time: first the operands of the scores, then weights and what they weigh.
// Neighbours lie in different banks: place p of plane c is p ^ c, of a factor that spreads few planes over eight banks.
var<workgroup> of_rows: array<array<array<vec4<f32>, {{groups}}>, {{own}}>, {{depth}}>;
var<workgroup> of_columns: array<array<array<vec4<f32>, {{lanes}}>, {{wide}}>, {{depth}}>;

fn weight_v4(x: vec4<f32>) -> vec4<f32> {
  return select(exp(x), x, gc_isnan_v4(x));
}

@compute @workgroup_size({{size}})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let block = group.x + group.y * {{columns}}u;
  if (block >= {{blocks}}u) { return; }
  let batch = {{batch}};
  let first = {{number}} * {{rows}}u;
  let lane = local % {{lanes}}u;
  let band = local / {{lanes}}u;
{{start}}
{% for r, loaded in declared %}
{% if forward %}
  var top{{r}} = {{lowest}};
  var total{{r}} = 0.0;
{% end %}
{% if loaded %}
{{loaded}}
{% end %}
{% for name, p in accumulators %}
  var {{name}}{{r}}_{{p}} = vec4<f32>();
{% end %}
{% end %}
{% if taken_up %}
{{taken_up}}
{% end %}
  let end = {{end}};
  for (var next = {{begin}}; next < end; next += {{step}}u) {  // at most {{steps}} turns
{% for k, apart, later in fours %}
    let column{{k}} = vec4<u32>(next + lane) + vec4<u32>({{apart}});
{% end %}
{% if read %}
{{read}}
{% end %}
    // Scores: products of vectors of each row and column, some of which come into workgroup memory at a time.
{% for name, head, brought, plane_loop, planes, terms in products %}
{% for r in each_row %}
{% for k, apart, later in fours %}
    var {{name}}{{r}}_{{k}} = vec4<f32>();
{% end %}
{% end %}
    {{head}}{
      workgroupBarrier();
{{brought}}
      workgroupBarrier();
      {{plane_loop}}{
{% for c, spread, columns in planes %}
        {
          let in_lane = lane{{spread}};
          let in_band = band{{spread}};
{% for j in each_column %}
          let b{{j}} = of_columns[{{c}}][{{j}}u][in_lane];
{% end %}
{% for k, t, parts in columns %}
          let c{{k}}_{{t}} = vec4<f32>({{parts}});
{% end %}
{% for r in each_row %}
          {
            let a = of_rows[{{c}}][{{r}}u][in_band];
{% for p, letter, factor in terms %}
            {{name}}{{r}}_{{p}} += a.{{letter}} * {{factor}};
{% end %}
          }
{% end %}
        }
{% end %}
      }
    }
{% end %}
{% if forward %}
    // Weights, by the highest score so far. Where a higher one is found, what was summed before shrinks.
{% for r, high, best, scores in weighed %}
{% for k, own, seen, kept in scores %}
    s{{r}}_{{k}} *= {{scale}};
{% if seen %}
    let seen{{r}}_{{k}} = {{seen}};
{% end %}
{% end %}
    let best{{r}} = {{best}};
    let most{{r}} = max(max(best{{r}}.x, best{{r}}.y), max(best{{r}}.z, best{{r}}.w));
{% end %}
{{exchanged}}
{% for r, high, best, scores in weighed %}
    {
      let now = max(top{{r}}, {{high}});
      let shrink = exp(top{{r}} - now);
      total{{r}} *= shrink;
{% for k, own, seen, kept in scores %}
{% if seen %}
      s{{r}}_{{k}} = select(vec4<f32>(), weight_v4(s{{r}}_{{k}} - now), seen{{r}}_{{k}});
{% else %}
      s{{r}}_{{k}} = weight_v4(s{{r}}_{{k}} - now);
{% end %}
      total{{r}} += (s{{r}}_{{k}}.x + s{{r}}_{{k}}.y) + (s{{r}}_{{k}}.z + s{{r}}_{{k}}.w);
{% if kept %}
      s{{r}}_{{k}} = select(vec4<f32>(), s{{r}}_{{k}} * {{boost}}, {{kept}});
{% end %}
{% end %}
      top{{r}} = now;
{% for p in vectors %}
      o{{r}}_{{p}} *= shrink;
{% end %}
    }
{% end %}
{% else %}
    // Weights, from the logarithms of the sums of the forward pass; g: the gradients of the scores.
{% for r, high, best, scores in weighed %}
{% for k, own, seen, kept in scores %}
{% if seen %}
    s{{r}}_{{k}} = select(vec4<f32>(), weight_v4(s{{r}}_{{k}} * {{scale}} - lse{{own}}), {{seen}});
{% else %}
    s{{r}}_{{k}} = weight_v4(s{{r}}_{{k}} * {{scale}} - lse{{own}});
{% end %}
{% if gradients %}
{% if kept %}
    g{{r}}_{{k}} = s{{r}}_{{k}} * (select(vec4<f32>(), g{{r}}_{{k}} * {{boost}}, {{kept}}) - delta{{own}}) * {{scale}};
{% else %}
    g{{r}}_{{k}} = s{{r}}_{{k}} * (g{{r}}_{{k}} - delta{{own}}) * {{scale}};
{% end %}
{% end %}
{% if weights %}
{% if kept %}
    s{{r}}_{{k}} = select(vec4<f32>(), s{{r}}_{{k}} * {{boost}}, {{kept}});
{% end %}
{% end %}
{% end %}
{% end %}
{% end %}
    // Sums of the weighted rows of the other side. A slot is four columns of a lane: some slots at a time have their
    // weights put into workgroup memory, one vector a row, with the rows of their columns.
{% for name, weight, slots, brought, plane_loop, planes, terms in sums %}
    for (var w = 0u; w < {{slots_all}}u; w += {{slots}}u) {
      workgroupBarrier();
{% for k, apart, later in fours %}
      if ({{later}} - w < {{slots}}u) {
        let slot = {{later}} - w;
        let in_band = band{{slot_spread}};
{% for r in each_row %}
        of_rows[slot][{{r}}u][in_band] = {{weight}}{{r}}_{{k}};
{% end %}
      }
{% end %}
{{brought}}
      workgroupBarrier();
      {{plane_loop}}{
{% for c, spread, columns in planes %}
        {
          let in_band = band{{spread}};
{% for p, j, plane, place in columns %}
          let b{{p}}_{{j}} = of_columns[{{plane}}][{{place}}u][lane];
{% end %}
{% for r in each_row %}
          {
            let a = of_rows[{{c}}][{{r}}u][in_band];
{% for p, letter, factor in terms %}
            {{name}}{{r}}_{{p}} += a.{{letter}} * {{factor}};
{% end %}
          }
{% end %}
        }
{% end %}
      }
    }
{% end %}
  }
{{finish}}
}
