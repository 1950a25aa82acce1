import { sequence } from '../../pbft/types.js';
import { limits } from '../../pbft/configuration.js';
import { decodeBundleBody, encodeBundleBody } from '../../wire/bundle.js';
import { Sealer } from '../../wire/envelope.js';
import { gatewaySigner, joinPacket } from '../../wire/frame.js';
import { canonicalJsonBytes, type Json } from '../../wire/json.js';
import type { FaultKind } from '../fault-kinds.js';
import type { Random } from '../random.js';
import type { SimulatedCluster } from '../simulated-cluster.js';
import type { Tally } from '../tally.js';

const name = 'gateway-false';
type Requests = { readonly client: string; readonly timestamp: number; readonly operation: Buffer }[];

/** What is the matter with bundles, or `fresh` when nothing is. */
export type BundleKind = 'fresh' | 'expired' | 'forged' | 'reversed';

/** A gateway that was admitted and says what it likes. What correct replicas must never execute is not counted as made. */
export class FalseClient {
  private readonly sealer: Sealer;
  private readonly sent: Buffer[] = [];
  private timestamp = 0;

  constructor(
    private readonly cluster: SimulatedCluster,
    private readonly random: Random,
    private readonly tally: Tally,
  ) {
    const { founders, signatures } = cluster.parts;
    const { membership } = founders;
    const context = { genesisDigest: membership.digest, epoch: membership.epoch, n: membership.n };
    this.sealer = new Sealer(context, signatures.signerOf(name), gatewaySigner);
  }

  act(kind: FaultKind): void {
    this.tally.add(kind);
    this.cluster.trace?.add(`${name}: ${kind}`);
    switch (kind) {
      case 'client-equivocation': {
        const timestamp = ++this.timestamp;
        for (const value of [0, 1]) this.send([this.put(timestamp, value)], { isMade: true, reach: 0.6 });
        break;
      }
      case 'client-disorder': {
        const timestamp = (this.timestamp += 2);
        this.send([this.put(timestamp, 1), this.put(timestamp - 1, 2)], { isMade: false, reach: 1 });
        this.send([this.put(timestamp, 3)], { isMade: true, reach: 0.5 });
        this.send([this.put(timestamp - 1, 4)], { isMade: true, reach: 0.5 });
        break;
      }
      case 'client-replay':
        if (this.sent.length > 0) this.publish(this.random.pick(this.sent), 1);
        break;
      case 'foreign-client':
        this.send([{ ...this.put(1 + this.random.below(20), 1), client: 'gateway-1' }], { isMade: false, reach: 1 });
        break;
      case 'expired-bundle': {
        const isFarAhead = this.random.chance(0.5);
        const last = isFarAhead ? 100 * limits.bundleLifetime : 0;
        this.send([this.put(++this.timestamp, 1)], { isMade: false, reach: 1, lastSequence: last });
        break;
      }
      case 'forged-bundle':
        this.publish(this.forged(), 1);
        break;
      default:
        this.junk();
    }
  }

  /** Bundles that it sends to nobody by itself: a Byzantine primary proposes them. */
  bundlesFor(kind: BundleKind): readonly Buffer[] {
    switch (kind) {
      case 'fresh':
        return [this.seal([this.put(++this.timestamp, this.timestamp)], true, limits.bundleLifetime)];
      case 'expired':
        return [this.seal([this.put(++this.timestamp, 1)], false, 0)];
      case 'forged':
        return [this.forged()];
      case 'reversed': {
        const timestamp = (this.timestamp += 2);
        return [timestamp, timestamp - 1].map((one) => this.seal([this.put(one, one)], true, limits.bundleLifetime));
      }
    }
  }

  /** What a correct gateway would have to sign, signed with another key. */
  private forged(): Buffer {
    const victim = 'gateway-1';
    const requests = [{ ...this.put(1 + this.random.below(20), 1), client: victim }];
    const credential = this.cluster.parts.signatures.credentialOf(victim);
    return this.sealer.seal('request', encodeBundleBody(credential, sequence(limits.bundleLifetime), requests));
  }

  private junk(): void {
    const operation = this.random.pick<Json>([{ op: 'nothing' }, null, { op: 'put', key: '', value: 1 }, []]);
    const request = {
      client: name,
      timestamp: ++this.timestamp,
      operation: Buffer.from(canonicalJsonBytes(operation)),
    };
    this.send([request], { isMade: false, reach: 1 });
    const bytes = Buffer.alloc(this.random.below(200), this.random.below(256));
    this.cluster.network.publish(name, [{ channel: 'request', payload: bytes }]);
  }

  private put(timestamp: number, value: number) {
    const operation = Buffer.from(canonicalJsonBytes({ op: 'put', key: 'false', value }));
    return { client: name, timestamp, operation };
  }

  private send(
    requests: Requests,
    options: { readonly isMade: boolean; readonly reach: number; readonly lastSequence?: number },
  ): void {
    const frame = this.seal(requests, options.isMade, options.lastSequence ?? limits.bundleLifetime);
    this.sent.push(frame);
    this.publish(frame, options.reach);
  }

  private seal(requests: Requests, isMade: boolean, lastSequence: number): Buffer {
    const credential = this.cluster.parts.signatures.credentialOf(name);
    const body = encodeBundleBody(credential, sequence(lastSequence), requests);
    if (isMade) for (const { digest } of decodeBundleBody(body, 0).bundle.requests) this.cluster.witness.onMade(digest);
    return this.sealer.seal('request', body);
  }

  private publish(frame: Buffer, reach: number): void {
    const payload = joinPacket([frame]);
    for (const replica of this.cluster.replicas) {
      if (this.random.chance(reach)) this.cluster.network.tell(name, replica.name, 'request', payload);
    }
  }
}

export const clientFaults: readonly FaultKind[] = [
  'client-equivocation',
  'client-disorder',
  'client-replay',
  'foreign-client',
  'expired-bundle',
  'forged-bundle',
  'client-junk',
];
