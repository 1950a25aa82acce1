import { Sealer } from '../../wire/envelope.js';
import { decoded, decodeFrame, gatewaySigner, joinPacket, splitPacket, type Frame } from '../../wire/frame.js';
import { canonicalJsonBytes } from '../../wire/json.js';
import { decodeQuery, decodeQueryReply, encodeQuery } from '../../wire/service.js';
import type { Delivery } from '../network.js';
import { Random } from '../random.js';
import type { Circumstances } from '../redis-faults.js';

const name = 'gateway-false';
/** How often a read is answered falsely. */
const probability = 0.5;
const keys = ['a', 'b', 'c'];

/**
 * A Byzantine gateway, in league with whoever runs Redis: of a read that it hears it asks something else under the same nonce, and
 * passes on what it is answered as if that had been asked. What the reader has asked arrives nowhere, at first.
 */
export class ForeignNonce {
  private readonly random: Random;
  private readonly sealer: Sealer;
  /** Whose nonce each one is. */
  private readonly askers = new Map<number, string>();

  constructor(private readonly fate: Circumstances) {
    const { network, parts } = fate.cluster;
    const { membership } = parts.founders;
    this.random = Random.stream(fate.profile.seed, 'foreign nonces');
    const context = { genesisDigest: membership.digest, epoch: membership.epoch, n: membership.n };
    this.sealer = new Sealer(context, parts.signatures.signerOf(name), gatewaySigner);
    const { onPublished, fate: sent } = network;
    network.onPublished = (from, channel, payload) => {
      onPublished(from, channel, payload);
      if (fate.isCalm) return;
      for (const frame of this.framesIn(payload)) this.hear(from, frame);
    };
    network.fate = (delivery) => (!fate.isCalm && this.isKept(delivery) ? [] : sent(delivery));
  }

  private isKept({ channel, from, payload }: Delivery): boolean {
    if (this.askers.size === 0 || channel !== 'request' || from === name) return false;
    return this.framesIn(payload).some((frame) => frame.kind === 'query' && this.askerOf(frame) === from);
  }

  private hear(from: string, frame: Frame): void {
    if (frame.kind === 'query' && from !== name) this.ask(from, frame);
    if (frame.kind === 'query-reply') this.passOn(from, frame);
  }

  private ask(asker: string, frame: Frame): void {
    const nonce = nonceOf(frame);
    if (nonce === undefined || this.askers.has(nonce) || !this.random.chance(probability)) return;
    this.askers.set(nonce, asker);
    this.fate.did('foreign-nonce', `${name} asks something else under a nonce of ${asker}`);
    const query = Buffer.from(canonicalJsonBytes({ op: 'get', key: this.random.pick(keys) }));
    const { signatures, network } = { ...this.fate.cluster.parts };
    const asked = encodeQuery({ credential: signatures.credentialOf(name), nonce, query });
    network.publish(name, [{ channel: 'request', payload: joinPacket([this.sealer.seal('query', asked)]) }]);
  }

  private passOn(from: string, frame: Frame): void {
    const asker = this.askerOf(frame);
    if (asker !== undefined) this.fate.cluster.network.tell(from, asker, `reply:${asker}`, joinPacket([frame.bytes]));
  }

  private askerOf(frame: Frame): string | undefined {
    const nonce = nonceOf(frame);
    return nonce === undefined ? undefined : this.askers.get(nonce);
  }

  /** What does not decode is nobody's read. */
  private framesIn(payload: Buffer): Frame[] {
    const { digest } = this.fate.cluster.parts.founders.membership;
    const frames = splitPacket(payload);
    if (typeof frames === 'string') return [];
    return frames.flatMap((bytes) => {
      const frame = decodeFrame(bytes, digest);
      return typeof frame === 'string' ? [] : [frame];
    });
  }
}

/** Of a QUERY or an answer to one, unless it was forged into something else. */
function nonceOf({ kind, body }: Frame): number | undefined {
  const about = decoded(() => (kind === 'query' ? decodeQuery(body) : decodeQueryReply(body)));
  return about === 'malformed-frame' ? undefined : about.nonce;
}
