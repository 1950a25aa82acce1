import type { Channel } from '../../ports/bus.js';
import { decoded, decodeFrame, splitPacket, type Frame } from '../../wire/frame.js';
import { decodePhaseBody, decodeProposal, encodeBatch, isBundleName, type PhaseHeader } from '../../wire/phase.js';
import { Recent } from '../../wire/recent.js';
import { decodeCheckpoint, decodeNewView, decodeViewChange, type ViewChangeBody } from '../../wire/views.js';

/** A payload that somebody has published. */
export interface Heard {
  readonly channel: Channel;
  readonly payload: Buffer;
}

/** A proposal with everybody's PREPAREs for it. */
export interface Support {
  readonly header: Pick<PhaseHeader, 'view' | 'sequence' | 'digest'>;
  readonly prePrepare: Buffer;
  readonly prepares: Map<number, Buffer>;
}

interface CheckpointSupport {
  readonly sequence: ViewChangeBody['stable']['sequence'];
  readonly digest: ViewChangeBody['stable']['digest'];
  readonly signatures: Map<number, Buffer>;
}

/** What is remembered of each kind: the latest. */
const heardMax = 300;
const supportsMax = 64;
const bundlesMax = 1024;

/** Everything that anybody says, which all Byzantine replicas hear together, whoever it was said to. */
export class Knowledge {
  readonly heard: Heard[] = [];
  readonly supports = new Map<string, Support>();
  readonly checkpoints = new Map<string, CheckpointSupport>();
  /** VIEW-CHANGE frames by view and sender. */
  readonly viewChanges = new Map<number, Map<number, Buffer>>();
  /** Frames with bundles of requests. */
  readonly requests: Buffer[] = [];
  /** The same by their names, and for longer. */
  private readonly bundles = new Recent<Buffer>(bundlesMax);
  highestView = 0;
  highestPlace = 0;

  constructor(private readonly genesisDigest: Buffer) {}

  hear(channel: Channel, payload: Buffer): void {
    if (channel.startsWith('reply:') || channel.startsWith('state')) return;
    this.heard.push({ channel, payload });
    if (this.heard.length > heardMax) this.heard.splice(0, heardMax / 2);
    if (channel === 'status') return;
    const frames = splitPacket(payload);
    if (typeof frames === 'string') return;
    if (channel === 'request') {
      for (const bytes of frames) {
        const frame = decodeFrame(bytes, this.genesisDigest);
        if (typeof frame !== 'string') this.bundles.add(frame.signature.toString('latin1'), bytes);
      }
      this.requests.push(...frames.slice(0, 1));
      if (this.requests.length > supportsMax) this.requests.splice(0, supportsMax / 2);
      return;
    }
    for (const bytes of frames) {
      const frame = decodeFrame(bytes, this.genesisDigest);
      if (typeof frame !== 'string') decoded(() => this.onFrame(frame));
    }
  }

  /** Notes what a Byzantine replica itself has told somebody. */
  note(bytes: Buffer): void {
    const frame = decodeFrame(bytes, this.genesisDigest);
    if (typeof frame !== 'string') decoded(() => this.onFrame(frame));
  }

  /** The proposals that were made last, the youngest last. */
  recent(most: number): Support[] {
    return [...this.supports.values()].slice(-most);
  }

  /** The batch of a proposal that names bundles, whole; `undefined` if one of them was not heard, or is forgotten. @throws {Malformed} */
  wholeOf(attachment: Buffer): Buffer | undefined {
    const { view, time, bundles } = decodeProposal(attachment);
    const frames: Buffer[] = [];
    for (const item of bundles) {
      const frame = isBundleName(item) ? this.bundles.get(item.toString('latin1')) : item;
      if (frame === undefined) return undefined;
      frames.push(frame);
    }
    return encodeBatch(view, time, frames);
  }

  private onFrame(frame: Frame): void {
    switch (frame.kind) {
      case 'pre-prepare': {
        const header = decodePhaseBody('pre-prepare', frame.signer, frame.body);
        this.support(header, frame.signature);
        break;
      }
      case 'prepare': {
        const { view, sequence, digest } = decodePhaseBody('prepare', frame.signer, frame.body);
        this.supports.get(`${view} ${sequence} ${digest}`)?.prepares.set(frame.signer, frame.signature);
        break;
      }
      case 'checkpoint': {
        const { sequence, digest } = decodeCheckpoint(frame.body);
        const name = `${sequence} ${digest}`;
        const known = this.checkpoints.get(name) ?? { sequence, digest, signatures: new Map<number, Buffer>() };
        this.checkpoints.set(name, known);
        known.signatures.set(frame.signer, frame.signature);
        forgetOldest(this.checkpoints, supportsMax);
        break;
      }
      case 'view-change': {
        const { view } = decodeViewChange(frame.body);
        const all = this.viewChanges.get(view) ?? new Map<number, Buffer>();
        this.viewChanges.set(view, all.set(frame.signer, frame.bytes));
        forgetOldest(this.viewChanges, 8);
        if (view < this.highestView + 100) this.highestView = Math.max(this.highestView, view);
        break;
      }
      case 'new-view': {
        const { view, prePrepares } = decodeNewView(frame.body);
        for (const { sequence, digest, signature } of prePrepares) this.support({ view, sequence, digest }, signature);
        if (view < this.highestView + 100) this.highestView = Math.max(this.highestView, view);
        break;
      }
      default:
        break;
    }
  }

  private support(header: Support['header'], prePrepare: Buffer): void {
    const name = `${header.view} ${header.sequence} ${header.digest}`;
    if (this.supports.has(name)) return;
    this.supports.set(name, { header, prePrepare, prepares: new Map() });
    this.highestPlace = Math.max(this.highestPlace, header.sequence);
    forgetOldest(this.supports, supportsMax);
  }
}

function forgetOldest(map: Map<unknown, unknown>, most: number): void {
  for (const oldest of map.keys()) {
    if (map.size <= most) return;
    map.delete(oldest);
  }
}
