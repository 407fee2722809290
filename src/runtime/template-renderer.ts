/** Renders chat templates, which come with downloaded files: programs that must not run for ever. */
import { Environment, Interpreter, Template } from "@huggingface/jinja";

/** Characters of a template's source. The longest in use have about 20,000. */
const MOST_SOURCE = 250_000;
/** Steps of a rendering: real templates take a few thousand. */
const MOST_STEPS = 200_000;
/** Handling so many characters of a text counts as a step. */
const CHARACTERS_PER_STEP = 100;
const MOST_RANGE = 10_000;

interface Value {
  readonly value: unknown;
}

/** The package's class, whose own declaration TypeScript does not find. */
const BaseInterpreter = Interpreter as new (
  environment: object,
) => {
  run(program: object): Value;
  evaluate(statement: unknown, environment: unknown): Value;
};

/** A template that can be rendered. */
export class TemplateRenderer {
  readonly #program: object;

  /** @throws Error for a source that is no template, or too long a one */
  constructor(source: string) {
    if (source.length > MOST_SOURCE) throw new Error(`it is ${source.length} characters long`);
    this.#program = new Template(source).parsed;
  }

  /**
   * @param values what the template finds under which name
   * @throws Error of the template itself, and for one that takes too many steps or makes too long a text
   */
  render(values: Readonly<Record<string, unknown>>): string {
    const environment = new Environment();
    for (const [name, value] of Object.entries({ ...GLOBALS, ...values })) environment.set(name, value);
    const size = JSON.stringify(values).length;
    return String(new LimitedInterpreter(environment, MOST_STEPS + size).run(this.#program).value);
  }
}

/** Counts what it does, and gives up when that is too much. */
class LimitedInterpreter extends BaseInterpreter {
  constructor(
    environment: object,
    private steps: number,
  ) {
    super(environment);
  }

  override evaluate(statement: unknown, environment: unknown): Value {
    const value = super.evaluate(statement, environment);
    this.#count(value);
    return value;
  }

  /** Every text and list is counted whole, with what is in it, each time that it is looked at. */
  #count({ value }: Value): void {
    this.steps -= typeof value === "string" ? 1 + value.length / CHARACTERS_PER_STEP : 1;
    if (this.steps < 0) throw new Error("it takes too many steps, or makes too long a text");
    if (value instanceof Map || Array.isArray(value))
      for (const inner of value.values()) this.#count(inner as Value);
  }
}

/** What every template finds. */
const GLOBALS = {
  true: true,
  True: true,
  false: false,
  False: false,
  none: null,
  None: null,
  raise_exception: (message: unknown) => {
    throw new Error(String(message));
  },
  range: (first: number, second?: number, step = 1) => {
    const [from, to] = second === undefined ? [0, first] : [first, second];
    const length = Math.max(0, Math.ceil((to - from) / step));
    if (!(length <= MOST_RANGE)) throw new Error(`it counts to ${length}`);
    return Array.from({ length }, (_, i) => from + i * step);
  },
  strftime_now: (format: string) => new Template("{{ strftime_now(format) }}").render({ format }),
};
