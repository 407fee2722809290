import type { Graph, Tensor } from "./graph.js";
import { add } from "./primitives.js";

/**
 * Reverse-mode differentiation: extends the graph by the gradients of a scalar.
 * @param loss a value without sizes
 * @param wanted parameters of the graph
 * @returns the gradients, in the order of `wanted`
 */
export function backward(graph: Graph, loss: Tensor, wanted: readonly Tensor[]): Tensor[] {
  const gradients = new Map<string, Tensor>([[loss.name, graph.scalar(1)]]);
  // The rules add nodes of their own, none of them to the tape.
  for (const { op, output, inputs, backward: rule } of graph.tape.toReversed()) {
    const gradient = gradients.get(output.name);
    if (gradient === undefined) continue;
    gradients.delete(output.name);
    const needed = inputs.map(({ name }) => graph.differentiable.has(name));
    const results = rule(gradient, needed);
    inputs.forEach(({ name }, i) => {
      if (!needed[i]) return;
      const result = results[i];
      if (result === undefined) throw new Error(`${op} gives no gradient for its input ${i}`);
      const sum = gradients.get(name);
      gradients.set(name, sum === undefined ? result : add(graph, sum, result));
    });
  }
  return wanted.map(({ name }) => {
    const gradient = gradients.get(name);
    if (gradient === undefined) throw new Error(`the loss does not depend on ${name}`);
    return gradient;
  });
}
