/** The tree as a drawing that can be clicked and walked with the arrow keys. */
import { hierarchy, tree as layout } from "d3-hierarchy";
import { useEffect, useRef } from "preact/hooks";
import type { NodeData, RunData } from "../types.js";
import { pathTo, percent, place, scored } from "./format.js";

interface Props {
  readonly run: RunData;
  readonly selected: number;
  readonly onSelect: (id: number) => void;
}

/** Sizes in pixels of the drawing. */
const ROW = 44;
const COLUMN = { least: 44, most: 92 };
/** As wide as a tree should be; a deep one is wider, and is scrolled. */
const WIDTH = 480;
const MARGIN = { top: 16, bottom: 32, side: 28 };
const RADIUS = 11;

export function TreeView({ run, selected, onSelect }: Props) {
  const root = hierarchy<NodeData>(run.nodes[0] as NodeData, (node) =>
    run.nodes.filter(({ parent }) => parent === node.id),
  );
  const column = Math.min(COLUMN.most, Math.max(COLUMN.least, WIDTH / Math.max(1, root.height)));
  const placed = layout<NodeData>().nodeSize([ROW, column])(root);
  const all = placed.descendants();
  const top = Math.min(...all.map(({ x }) => x));
  const height = Math.max(...all.map(({ x }) => x)) - top + MARGIN.top + MARGIN.bottom;
  const width = Math.max(...all.map(({ y }) => y)) + 2 * MARGIN.side;
  const best = new Set(pathTo(run, run.best).map(({ id }) => id));
  const at = ({ x, y }: { x: number; y: number }) => ({ x: y + MARGIN.side, y: x - top + MARGIN.top });

  const drawing = useRef<HTMLDivElement>(null);
  const isWalking = useRef(false);
  useEffect(() => {
    const own = drawing.current?.querySelector<SVGGElement>('[aria-selected="true"]');
    if (isWalking.current) own?.focus();
    isWalking.current = false;
  }, [selected]);

  const walk = (event: KeyboardEvent) => {
    const next = neighbour(run, all, selected, event.key);
    if (next === undefined) return;
    event.preventDefault();
    isWalking.current = true;
    onSelect(next);
  };

  return (
    <div class="tree scroll">
      <div role="tree" aria-label="Evolution tree; arrow keys walk through it" ref={drawing} onKeyDown={walk}>
        <svg role="presentation" viewBox={`0 0 ${width} ${height}`} width={width} height={height}>
          {placed.links().map(({ source, target }) => {
            const [from, to] = [at(source), at(target)];
            const middle = (from.x + to.x) / 2;
            return (
              <path
                key={target.data.id}
                class={best.has(target.data.id) ? "link best" : "link"}
                d={`M${from.x},${from.y}C${middle},${from.y} ${middle},${to.y} ${to.x},${to.y}`}
              />
            );
          })}
          {all.map((one) => (
            <TreeNode
              key={one.data.id}
              run={run}
              node={one.data}
              {...at(one)}
              isSelected={one.data.id === selected}
              isBest={one.data.id === run.best}
              onSelect={onSelect}
            />
          ))}
        </svg>
      </div>
      <p class="legend" aria-hidden="true">
        <span class="scale" /> lowest to highest score of this run · the thick line leads to the best node · a
        node's number is that of its edit
      </p>
    </div>
  );
}

interface NodeProps {
  readonly run: RunData;
  readonly node: NodeData;
  readonly x: number;
  readonly y: number;
  readonly isSelected: boolean;
  readonly isBest: boolean;
  readonly onSelect: (id: number) => void;
}

function TreeNode({ run, node, x, y, isSelected, isBest, onSelect }: NodeProps) {
  const shade = place(run, node.score);
  const choose = (event: KeyboardEvent) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    onSelect(node.id);
  };
  return (
    <g
      class={isBest ? "node best" : "node"}
      role="treeitem"
      tabindex={isSelected ? 0 : -1}
      aria-level={node.depth + 1}
      aria-selected={isSelected}
      aria-label={`node ${node.id}, ${scored(node)}, chosen ${node.visits} times${isBest ? ", the best" : ""}`}
      data-node={node.id}
      transform={`translate(${x},${y})`}
      onClick={() => onSelect(node.id)}
      onKeyDown={choose}
    >
      <circle
        r={RADIUS}
        style={shade === null ? {} : { fill: `color-mix(in oklab, var(--low), var(--high) ${100 * shade}%)` }}
      />
      <text class="id" text-anchor="middle" dy="0.35em">
        {node.id}
      </text>
      <text class="score" text-anchor="middle" y={RADIUS + 12}>
        {percent(node.score).replace(" %", "")}
      </text>
    </g>
  );
}

/** Left: the parent; right: the first child; up and down: the node drawn next to it in the same column. */
function neighbour(
  run: RunData,
  all: readonly { readonly x: number; readonly data: NodeData }[],
  selected: number,
  key: string,
): number | undefined {
  const node = run.nodes[selected];
  if (node === undefined) return undefined;
  if (key === "ArrowLeft") return node.parent ?? undefined;
  if (key === "ArrowRight") return run.nodes.find(({ parent }) => parent === selected)?.id;
  if (key === "Home") return 0;
  if (key === "End") return run.best;
  if (key !== "ArrowUp" && key !== "ArrowDown") return undefined;
  const column = all.filter(({ data }) => data.depth === node.depth).sort((a, b) => a.x - b.x);
  const index = column.findIndex(({ data }) => data.id === selected);
  return column[index + (key === "ArrowUp" ? -1 : 1)]?.data.id;
}
