import { canonicalJson, type Json } from '../wire/json.js';
import {
  executeOperation,
  type Circumstances,
  type DecodedOperation,
  type OnDefect,
  type TransactionalState,
} from '../state-machine/execute.js';
import type { StateMachine } from '../state-machine/state-machine.js';
import { elsewhere } from './surroundings.js';

/** An operation that does not come to the same wherever it is executed, or need not. */
export interface Nondeterminism {
  /**
   * `differs`: two executions of it came to different ends, so replicas part over it. `asks`: it asked for the clock or for chance, though
   * it came to the same this time.
   */
  readonly kind: 'differs' | 'asks';
  /** A sentence for people. */
  readonly message: string;
  /** Its JSON, cut short when it is long. */
  readonly operation: string;
  readonly client: string;
  readonly sequence: number;
  /** What differed: `result`, or a key of the state, each with both values, cut short. At most 8. */
  readonly differences: readonly { readonly what: string; readonly values: readonly [string, string] }[];
  /** The clocks and dice that it asked, such as `Math.random()`. */
  readonly asked: readonly string[];
}

const differencesMax = 8;
const charactersMax = 400;
/** Different reports of one process; the same trouble with the same kind of operation is told once. */
const reportsMax = 100;

const utf8 = new TextDecoder();

/** What one execution came to. */
interface Outcome {
  readonly result: string;
  /** Canonical JSON; `undefined`: the key is deleted. */
  readonly writes: ReadonlyMap<string, string | undefined>;
}

/**
 * Executes every operation twice, the first time in other surroundings and with its writes undone, and reports what did not come to the same: a machine
 * that asks for the clock or for chance, or that keeps something between calls. For development: it takes twice the time.
 * What is kept is what a replica without it would have.
 */
export class DeterminismCheck {
  private readonly reported = new Set<string>();

  constructor(
    private readonly machine: StateMachine<unknown>,
    private readonly decode: (operation: Uint8Array) => DecodedOperation | undefined,
    private readonly report: (found: Nondeterminism) => void,
  ) {}

  /** As `executeOperation`, of the operation in `bytes`. */
  execute(state: TransactionalState, bytes: Uint8Array, circumstances: Circumstances, onDefect: OnDefect): string {
    const { outcome: trial, used } = elsewhere(() =>
      // Each run decodes for itself: the machine may change what it is given, and a schema can be nondeterministic, too.
      this.run(new RecordedState(state, 'undone'), bytes, circumstances, () => undefined),
    );
    const kept = this.run(new RecordedState(state, 'kept'), bytes, circumstances, onDefect);
    const differences = differencesOf(trial, kept);
    if (differences.length > 0 || used.length > 0) {
      this.tell(utf8.decode(bytes), circumstances, differences, used);
    }
    return kept.result;
  }

  private run(state: RecordedState, bytes: Uint8Array, circumstances: Circumstances, onDefect: OnDefect): Outcome {
    const result = executeOperation(this.machine, state, this.decode(bytes), circumstances, onDefect);
    return { result, writes: state.writes };
  }

  private tell(
    text: string,
    { client, sequence }: Circumstances,
    differences: Nondeterminism['differences'],
    asked: readonly string[],
  ): void {
    const kind = differences.length > 0 ? 'differs' : 'asks';
    const name = nameOf(text);
    const key = canonicalJson([kind, name, asked]);
    if (this.reported.has(key) || this.reported.size >= reportsMax) return;
    this.reported.add(key);
    const operation = cut(text);
    const calls = asked.length === 0 ? '' : ` It asked ${asked.join(', ')}.`;
    const what = differences.map((difference) => difference.what).join(', ');
    const finding =
      kind === 'differs'
        ? `the same operation, executed twice, came to different ends (${what}): replicas will part over it.${calls}`
        : `an operation asks what differs between replicas, though it came to the same this time.${calls}`;
    const advice = 'Take context.time and context.random(), and keep everything in context.state.';
    const message = `${this.machine.name} is not deterministic: ${finding} ${advice} The operation: ${operation}`;
    this.report({ kind, message, operation, client, sequence, differences, asked });
  }
}

/** A state that notes what is written, and in the end keeps it or not. */
class RecordedState implements TransactionalState {
  readonly writes = new Map<string, string | undefined>();

  constructor(
    private readonly state: TransactionalState,
    private readonly end: 'kept' | 'undone',
  ) {}

  get(key: string): Json | undefined {
    return this.state.get(key);
  }

  has(key: string): boolean {
    return this.state.has(key);
  }

  set(key: string, value: Json): void {
    this.state.set(key, value);
    this.writes.set(key, canonicalJson(value));
  }

  delete(key: string): boolean {
    const existed = this.state.delete(key);
    this.writes.set(key, undefined);
    return existed;
  }

  begin(): void {
    this.state.begin();
  }

  commit(): void {
    if (this.end === 'kept') this.state.commit();
    else this.state.rollback();
  }

  rollback(): void {
    this.writes.clear();
    this.state.rollback();
  }
}

function differencesOf(one: Outcome, other: Outcome): Nondeterminism['differences'] {
  const found: { what: string; values: readonly [string, string] }[] = [];
  const compare = (what: string, a = 'nothing', b = 'nothing'): void => {
    if (a !== b && found.length < differencesMax) found.push({ what: cut(what), values: [cut(a), cut(b)] });
  };
  compare('result', one.result, other.result);
  for (const key of new Set([...one.writes.keys(), ...other.writes.keys()])) {
    const said = ({ writes }: Outcome): string => (writes.has(key) ? (writes.get(key) ?? 'deleted') : 'not written');
    compare(`key ${canonicalJson(key)}`, said(one), said(other));
  }
  return found;
}

/** By which reports are counted as the same: what most machines tell their operations apart by. */
function nameOf(text: string): string {
  const { op, type } = Object(JSON.parse(text)) as { readonly op?: unknown; readonly type?: unknown };
  const name = op ?? type;
  return typeof name === 'string' ? name : '';
}

function cut(text: string): string {
  return text.length <= charactersMax ? text : `${text.slice(0, charactersMax)}…`;
}
