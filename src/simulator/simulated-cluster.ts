import { decodeBundleBody } from '../wire/bundle.js';
import { decodeFrame, splitPacket } from '../wire/frame.js';
import { RepliesChecker } from './checkers/replies-checker.js';
import { Violations } from './checkers/violations.js';
import { Witness, type MachineOf } from './checkers/witness.js';
import { SimulatedGateway } from './clients.js';
import type { ClusterParts } from './simulated-replica.js';
import { foundersOf } from './founders.js';
import { modelledSignatures, realSignatures } from './modelled-signatures.js';
import { Network } from './network.js';
import type { Profile } from './profile.js';
import { Random } from './random.js';
import type { Death, Latency } from './simulated-ports.js';
import { SimulatedRedis } from './simulated-redis.js';
import { SimulatedReplica } from './simulated-replica.js';
import { Trace } from './trace.js';
import { VirtualTime } from './virtual-time.js';

export interface SimulatedClusterOptions {
  readonly profile: Profile;
  readonly latency: Latency;
  /** Without it all replicas run the key-value service. */
  readonly machineOf?: MachineOf | undefined;
  /** Told what happens, a line for each message and each fault; `undefined`: nobody wants to know, which is faster. */
  readonly onLine: ((line: string) => void) | undefined;
  readonly onDeath: (replica: SimulatedReplica, death: Death) => void;
  readonly onTwin: (replica: SimulatedReplica) => void;
  readonly onUnreachable: (replica: SimulatedReplica) => void;
}

/** Replicas, gateways and what lies between them, with the checkers that watch them. */
export class SimulatedCluster {
  readonly time = new VirtualTime();
  readonly violations = new Violations();
  readonly network: Network;
  readonly witness: Witness;
  readonly replies: RepliesChecker;
  readonly replicas: readonly SimulatedReplica[];
  /** Those that are not Byzantine. */
  readonly correct: readonly SimulatedReplica[];
  readonly gateways: readonly SimulatedGateway[];
  readonly trace: Trace | undefined;
  readonly parts: ClusterParts;

  constructor({ profile, latency, machineOf, onLine, onDeath, onTwin, onUnreachable }: SimulatedClusterOptions) {
    const { time, violations } = this;
    const founders = foundersOf(profile);
    const { membership } = founders;
    const signatures = profile.hasRealSignatures ? realSignatures(founders) : modelledSignatures(founders);
    const byzantine = new Set(profile.byzantine);
    const fail = (who: string, error: unknown): void => {
      violations.add('failure', `${who}: ${error instanceof Error ? error.message : String(error)}`);
      if (error instanceof Error) this.trace?.add(error.stack ?? '');
    };
    this.network = new Network(time);
    this.witness = new Witness(founders, violations, (replica) => byzantine.has(replica), machineOf);
    this.trace = onLine === undefined ? undefined : new Trace(time, membership.digest, onLine);
    const busRedis = new SimulatedRedis();
    this.parts = {
      time,
      network: this.network,
      busRedis,
      logRedis: profile.isSplit ? new SimulatedRedis() : busRedis,
      founders,
      signatures,
      configuration: profile,
      latency,
      random: { ticks: Random.stream(profile.seed, 'ticks') },
      witness: this.witness,
      trace: this.trace,
      onDeath,
      onTwin,
      onUnreachable,
      onFailure: ({ name, index }, error) => {
        if (!byzantine.has(index)) fail(`${name} ends itself`, error);
      },
      onClientFailure: (error) => {
        fail('a client fails', error);
      },
    };
    this.replicas = membership.replicas.map(({ name }, index) => new SimulatedReplica(index, name, this.parts));
    this.correct = this.replicas.filter(({ index }) => !byzantine.has(index));
    const { verifier } = signatures;
    const { execution } = this.witness;
    this.replies = new RepliesChecker(membership, verifier, profile.hasRealSignatures, execution, violations);
    const nonces = Random.stream(profile.seed, 'nonces');
    this.gateways = ['gateway-1', 'gateway-2'].map((name) => new SimulatedGateway(name, this.parts, nonces));
    this.watch();
  }

  /** Where everybody is, for a report. */
  positions(): string[] {
    return this.replicas.map((replica) => {
      const { name, life } = replica;
      if (life === undefined) return `${name} is down`;
      const core = life.node.host.replica;
      const view = `${core.isChangingView ? 'wants' : 'in'} view ${core.view}`;
      const kind = this.correct.includes(replica) ? '' : ' (Byzantine)';
      const memory = `${core.isAmnesiac ? ' amnesiac' : ''}${core.isCorrupt ? ' corrupt' : ''}`;
      return `${name}${kind} ${view} executed ${core.lastExecuted} stable ${core.stable.sequence}${memory}`;
    });
  }

  /** Checkers and trace hear what is published and delivered. */
  private watch(): void {
    const { network, trace, witness } = this;
    const byName = new Map(this.replicas.map((replica) => [replica.name, replica]));
    if (trace !== undefined) {
      network.onDelivery = (delivery) => {
        trace.delivery(delivery);
      };
    }
    network.afterDelivery = ({ name }) => {
      const replica = byName.get(name);
      if (replica?.life !== undefined) witness.afterStep(replica, replica.life);
    };
    network.onPublished = (from, channel, payload) => {
      if (channel === 'request' && from.startsWith('gateway-')) this.onRequests(payload);
    };
  }

  /** What correct gateways sign was made by a client. */
  private onRequests(payload: Buffer): void {
    const frames = splitPacket(payload);
    if (typeof frames === 'string') return;
    for (const bytes of frames) {
      const frame = decodeFrame(bytes, this.parts.founders.membership.digest);
      if (typeof frame === 'string' || frame.kind !== 'request') continue;
      for (const { digest } of decodeBundleBody(frame.body, bytes.length).bundle.requests) this.witness.onMade(digest);
    }
  }
}
