import type { Promised, Request } from '../../pbft/messages.js';
import type { Digest, SequenceNumber } from '../../pbft/types.js';
import type { Publication } from '../../ports/bus.js';
import type { LogWrite } from '../../ports/message-log.js';
import { nullBatch } from '../../replica/batch-book.js';
import type { ReplicaNode } from '../../replica/replica-node.js';
import type { Service } from '../../replica/service.js';
import { StateMachineService } from '../../replica/state-machine-service.js';
import KeyValueService from '../../state-machine/key-value.js';
import type { StateMachine } from '../../state-machine/state-machine.js';
import type { Founders } from '../founders.js';
import { asBuffer } from '../simulated-redis.js';
import { ExecutionChecker, type Execution } from './execution-checker.js';
import { NewViewChecker } from './new-view-checker.js';
import { SpeechChecker } from './speech-checker.js';
import type { Violations } from './violations.js';

type Context = { readonly sequence: SequenceNumber; readonly time: number };

/** The state machine that a replica runs, by the replica's index; asked anew for each of its lives. */
export type MachineOf = (replica: number) => StateMachine<unknown>;

/** A replica's place, and one life of it. */
interface Seat {
  readonly index: number;
  readonly name: string;
  /** What its machine's clock shows, milliseconds since 1970. */
  readonly clock: number;
}

interface Life {
  readonly number: number;
  readonly node: ReplicaNode;
  readonly service: Service;
}

/** Watches all replicas from outside, correct ones against the rules. */
export class Witness {
  readonly execution: ExecutionChecker;
  readonly speech: SpeechChecker;
  private readonly newViews: NewViewChecker;
  /** Digests of requests that some client has made. */
  private readonly made = new Set<string>();
  private readonly executions = new WeakMap<Service, Execution>();
  /** What each replica has executed, in all of its lives: what a dead one has sent may still arrive. */
  private readonly lives = new Map<number, readonly Execution[]>();
  private readonly fetched = new WeakMap<Service, number>();
  /** States that replicas took over from others. */
  transfers = 0;
  /** States that replicas found in their stores when they started. */
  loads = 0;

  constructor(
    founders: Founders,
    private readonly violations: Violations,
    private readonly isByzantine: (replica: number) => boolean,
    private readonly machineOf: MachineOf = () => new KeyValueService(),
  ) {
    this.execution = new ExecutionChecker(violations, (digest) => this.made.has(digest));
    const { membership } = founders;
    // A reply is that of the youngest life that has executed there: what an older one executed upon words that never left it was not told.
    const onAnswered = (replica: number, sequence: number): void => {
      const execution = this.lives.get(replica)?.findLast(({ done, above }) => done >= sequence || above.has(sequence));
      if (execution !== undefined) this.execution.finish(execution, sequence);
    };
    this.speech = new SpeechChecker(membership, violations, (replica) => !isByzantine(replica), onAnswered);
    this.newViews = new NewViewChecker(membership.n, membership.q, nullBatch.digest, this.speech, violations);
  }

  onMade(requestDigest: string): void {
    this.made.add(requestDigest);
  }

  /** The service of one life of a replica. */
  serviceOf({ index, name }: Seat, life: number): Service {
    const onDefect = (error: unknown): void => {
      this.violations.add('failure', `the state machine of ${name} fails: ${String(error)}`);
    };
    if (this.isByzantine(index)) return new StateMachineService(this.machineOf(index), onDefect);
    this.speech.onBorn(index);
    const execution = this.execution.begin(`${name} in life ${life}`);
    this.lives.set(index, [...(this.lives.get(index) ?? []), execution]);
    const service = new WatchedService(this.machineOf(index), onDefect);
    service.onExecuted = (request, context, resultDigest) => {
      this.execution.onExecuted(execution, request, context, resultDigest);
    };
    service.onInstalled = (sequence) => {
      this.loads++;
      this.execution.skip(execution, sequence);
    };
    this.executions.set(service, execution);
    return service;
  }

  onPromised({ index }: Seat, promises: readonly Promised[]): void {
    if (!this.isByzantine(index)) this.speech.onPromised(index, promises);
  }

  onPromisesLost({ index }: Seat): void {
    this.speech.onPromisesLost(index);
  }

  onWritten({ index }: Seat, writes: readonly LogWrite[]): void {
    if (!this.isByzantine(index)) this.speech.onWritten(index, writes);
  }

  onPublished({ index }: Seat, publications: readonly Publication[]): void {
    if (this.isByzantine(index)) return;
    for (const { channel, payload } of publications) this.speech.onPublished(index, channel, asBuffer(payload));
  }

  /** Whatever it has executed is whole now. */
  afterStep({ name, index, clock }: Seat, { service, node }: Life): void {
    const execution = this.executions.get(service);
    if (execution === undefined) return;
    this.execution.onClock(clock);
    const { lastExecuted, newView, stable } = node.host.replica;
    this.speech.checkStable(index, stable);
    if (newView !== undefined) this.newViews.check(name, index, newView);
    const fetched = node.transfers - (this.fetched.get(service) ?? 0);
    if (fetched > 0) {
      this.fetched.set(service, node.transfers);
      this.transfers += fetched;
      this.loads -= fetched;
    }
    execution.executed = Math.max(execution.executed, lastExecuted);
    if (node.host.isAllSaid) this.execution.finish(execution, lastExecuted);
  }
}

class WatchedService extends StateMachineService {
  onExecuted: (request: Request, context: Context, resultDigest: Digest) => void = () => undefined;

  onInstalled: (sequence: number) => void = () => undefined;

  constructor(...parts: ConstructorParameters<typeof StateMachineService>) {
    super(...parts);
    const install = this.checkpoints.install.bind(this.checkpoints);
    this.checkpoints.install = (transfer) => {
      const snapshot = install(transfer);
      this.onInstalled(transfer.head.sequence);
      return snapshot;
    };
  }

  override execute(request: Request, context: Context) {
    const outcome = super.execute(request, context);
    this.onExecuted(request, context, outcome.resultDigest);
    return outcome;
  }
}
