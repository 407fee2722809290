/** Reverse-mode differentiation of a graph. */
import type { Graph, Tensor } from "./graph.js";
import { add } from "./primitives.js";

/**
 * Reverse-mode differentiation: extends the graph by the gradients of a loss.
 * @param output the loss, a value without sizes; or what it is computed from elsewhere
 * @param wanted parameters of the graph
 * @param gradient of the loss with respect to `output`, of its sizes
 * @returns the gradients, in the order of `wanted`
 */
export function backward(
  graph: Graph,
  output: Tensor,
  wanted: readonly Tensor[],
  gradient: Tensor = graph.scalar(1),
): Tensor[] {
  const gradients = new Map<string, Tensor>([[output.name, gradient]]);
  // The rules add nodes of their own, none of them to the tape.
  for (const { op, output: result, inputs, backward: rule } of graph.tape.toReversed()) {
    const above = gradients.get(result.name);
    if (above === undefined) continue;
    gradients.delete(result.name);
    const needed = inputs.map(({ name }) => graph.differentiable.has(name));
    const found = rule(above, needed);
    inputs.forEach(({ name }, i) => {
      if (!needed[i]) return;
      const own = found[i];
      if (own === undefined) throw new Error(`${op} gives no gradient for its input ${i}`);
      const sum = gradients.get(name);
      gradients.set(name, sum === undefined ? own : add(graph, sum, own));
    });
  }
  return wanted.map(({ name }) => {
    const found = gradients.get(name);
    if (found === undefined) throw new Error(`the loss does not depend on ${name}`);
    return found;
  });
}
