import type { FaultKind } from '../fault-kinds.js';
import type { Kind } from '../../wire/kinds.js';
import type { Channel, Publication } from '../../ports/bus.js';
import type { Signer } from '../../ports/signatures.js';
import { Sealer } from '../../wire/envelope.js';
import { decodeFrame, joinPacket, splitPacket, type Frame } from '../../wire/frame.js';
import type { Random } from '../random.js';
import { asBuffer } from '../simulated-redis.js';
import type { SimulatedReplica } from '../simulated-replica.js';
import { actions } from './acting.js';
import type { Conspiracy, Traitor, Version } from './plot.js';
import { reworkings } from './reworking.js';

/** How often each thing that a Byzantine replica does besides happens, about, times a second. */
const actionsPerSecond = 1.5;

/**
 * A Byzantine replica: a wrapper around a real one, which keeps it in the game. It has its key at hand, hears everything that
 * anybody says, and tells each of the others what it likes.
 */
export class ByzantineReplica implements Traitor {
  readonly sealer: Sealer;
  readonly rivalSealer: Sealer;
  readonly index: number;
  readonly name: string;
  /** Whether it keeps a request from itself. */
  isCensoring = false;
  private readonly others: readonly string[];

  constructor(
    readonly replica: SimulatedReplica,
    readonly plot: Conspiracy,
  ) {
    const { parts } = plot;
    const { membership } = parts.founders;
    this.index = replica.index;
    this.name = replica.name;
    const context = { genesisDigest: membership.digest, epoch: membership.epoch, n: membership.n };
    const signer = parts.signatures.signerOf(replica.name);
    const rival: Signer = {
      sign: (message) => signer.sign(message),
      openingOf: (statement) => signer.openingOf(Buffer.concat([statement, Buffer.of(1)])),
    };
    this.sealer = new Sealer(context, signer, replica.index);
    this.rivalSealer = new Sealer(context, rival, replica.index);
    this.others = membership.replicas.map(({ name }) => name).filter((name) => name !== replica.name);
    replica.conduct = {
      publish: (publications) => {
        this.publish(publications);
      },
      hears: (channel, payload) => this.hears(channel, payload),
    };
  }

  get n(): number {
    return this.plot.parts.founders.membership.n;
  }

  get q(): number {
    return this.plot.parts.founders.membership.q;
  }

  get random(): Random {
    return this.plot.random;
  }

  isOn(kind: FaultKind): boolean {
    return this.plot.faults.has(kind);
  }

  did(kind: FaultKind): void {
    this.plot.tally.add(kind);
    this.plot.note(`${this.name}: ${kind}`);
  }

  /** Tells some of the others, or all of them, something. */
  tell(kind: Kind, frame: Buffer, to: readonly string[] = this.others, channel: Channel = kind as Channel): void {
    this.plot.knowledge.note(frame);
    const payload = joinPacket([frame]);
    for (const name of to) this.plot.parts.network.tell(this.name, name, channel, payload);
  }

  /** Each of the others with this probability. */
  some(probability: number): readonly string[] {
    return this.others.filter(() => this.random.chance(probability));
  }

  /** Begins to do things besides, now and then, until `isOver`. */
  scheme(isOver: () => boolean): void {
    const { time } = this.plot.parts;
    const own = actions.filter(({ kind }) => this.isOn(kind));
    if (own.length === 0) return;
    const act = (): void => {
      if (isOver()) return;
      this.random.pick(own).act(this);
      time.after((this.random.next() * 2000) / (actionsPerSecond * own.length), act);
    };
    time.after(this.random.next() * 500, act);
  }

  private hears(channel: Channel, payload: Buffer): boolean {
    if (channel !== 'request' || !this.isCensoring || !this.isOn('censoring-primary')) return true;
    if ((payload.at(-1) ?? 0) % 2 === 0) return true;
    this.plot.tally.add('censoring-primary');
    return false;
  }

  private publish(publications: readonly Publication[]): void {
    for (const { channel, payload } of publications) this.publishOne(channel, asBuffer(payload));
  }

  private publishOne(channel: Channel, payload: Buffer): void {
    const { network, founders } = this.plot.parts;
    const frames = splitPacket(payload);
    if (typeof frames === 'string') return;
    for (const bytes of frames) {
      const frame = decodeFrame(bytes, founders.membership.digest);
      const version = typeof frame === 'string' ? undefined : this.versionOf(frame);
      if (version === undefined) network.publish(this.name, [{ channel, payload: joinPacket([bytes]) }]);
      else this.tellVersions(channel, version);
    }
  }

  private tellVersions(channel: Channel, version: Version): void {
    const { network } = this.plot.parts;
    const names = new Set([...network.subscribers].filter((one) => one.channels.has(channel)).map(({ name }) => name));
    for (const name of names) {
      const bytes = version(name);
      if (bytes === undefined) continue;
      this.plot.knowledge.note(bytes);
      network.tell(this.name, name, channel, joinPacket([bytes]));
    }
  }

  private versionOf(frame: Frame): Version | undefined {
    for (const { kind, probability, rework } of reworkings) {
      if (!this.isOn(kind) || !this.random.chance(probability)) continue;
      const version = rework(frame, this);
      if (version === undefined) continue;
      this.did(kind);
      return version;
    }
    return undefined;
  }
}
