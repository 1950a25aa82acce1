import type { Configuration } from '../../../src/pbft/configuration.js';
import type { ReplicaMessage, RequestBundle } from '../../../src/pbft/messages.js';
import type { CoreHost } from './core-host.js';
import { CoreWorld, outside, type CoreWorldOptions } from './core-world.js';
import { momentsPerTick } from './schedule.js';

export interface ScenarioOptions extends Partial<Configuration['options']> {
  readonly n?: number;
  /** Replicas that the test plays itself. */
  readonly byzantine?: readonly number[];
  /** Moments that each message takes; a tick has ten. */
  readonly delay?: number;
}

const defaults: CoreWorldOptions['core'] = {
  checkpointInterval: 4,
  logSize: 8,
  batchSize: 1,
  instancesInFlightMax: 4,
  resendTicks: 2,
  requestTimeoutTicks: 10,
  viewChangeTimeoutTicks: 10,
};

/** A cluster in which nothing happens of itself: the test says who dies and what is lost. Everything is checked. */
export class Scenario {
  /** What correct replicas have said to everybody, in order. */
  readonly said: ReplicaMessage[] = [];
  private readonly world: CoreWorld;

  constructor({ n = 4, byzantine = [], delay = 1, ...core }: ScenarioOptions = {}) {
    this.world = new CoreWorld({ n, byzantine, delay, core: { ...defaults, ...core } });
    this.world.onSaid = (message) => this.said.push(message);
    this.ticks(1);
  }

  /** A correct replica. */
  at(index: number): CoreHost {
    const replica = this.all.find((one) => one.index === index);
    if (replica === undefined) throw new Error(`replica ${index} is not correct`);
    return replica;
  }

  get all(): readonly CoreHost[] {
    return this.world.correct;
  }

  /** A request reaches these replicas; everybody when none is named. */
  ask(bundle: RequestBundle, ...to: readonly number[]): void {
    this.world.publish(outside, bundle, to.length === 0 ? this.world.everybody : to);
  }

  /** A Byzantine replica says something to one of the others. */
  send(to: number, message: ReplicaMessage): void {
    this.world.send(message.replica, to, message);
  }

  ticks(count: number): void {
    for (let moment = 0; moment < count * momentsPerTick; moment++) this.world.pass();
  }

  /** Time passes until something is the case. @throws when it is not after so many ticks */
  until(what: string, isSo: () => boolean, ticksMax = 200): void {
    for (let moment = 0; !isSo(); moment++) {
      if (moment >= ticksMax * momentsPerTick) throw new Error(`not in time: ${what}\n${this.world.describe()}`);
      this.world.pass();
    }
  }

  /** All correct replicas that are up have executed these requests, once, in one order. */
  untilExecuted(...names: readonly string[]): void {
    const isDone = ({ history }: CoreHost): boolean => names.every((name) => history.includes(name));
    this.until(`${names.join()} executed`, () => this.all.filter(({ isUp }) => isUp).every(isDone));
  }

  /** From now on these messages get lost; none when nothing is named. */
  lose(loss: CoreWorld['isLost'] = () => false): void {
    this.world.isLost = loss;
  }

  /** From now on these replicas hear nobody and are heard by nobody. */
  cutOff(...indices: readonly number[]): void {
    this.lose((from, to) => indices.includes(from) !== indices.includes(to));
  }

  kill(index: number): void {
    this.at(index).isUp = false;
  }

  /** A new process reads the replica's log and promises. */
  revive(index: number): void {
    this.world.restart(this.at(index));
  }

  /** What was said of this kind, by one replica when it is named. */
  saidOf<K extends ReplicaMessage['kind']>(kind: K, replica?: number): Extract<ReplicaMessage, { kind: K }>[] {
    return this.said.filter((message): message is Extract<ReplicaMessage, { kind: K }> => {
      return message.kind === kind && (replica === undefined || message.replica === replica);
    });
  }
}
