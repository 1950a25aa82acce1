import type { Membership } from '../crypto/membership.js';
import { verifyStateProof, type StateProof } from '../crypto/state-proof.js';
import { QuorateError } from '../errors.js';
import { limits } from '../pbft/configuration.js';
import type { Publication } from '../ports/bus.js';
import { Reader } from '../wire/bytes.js';
import type { Credential } from '../wire/credential.js';
import type { Opener, Sealer } from '../wire/envelope.js';
import { decoded, type Frame } from '../wire/frame.js';
import type { Json } from '../wire/json.js';
import { packets } from '../wire/packets.js';
import { decodeProof, decodeProofParts, encodeProve, type ProofParts } from '../wire/state-proof.js';

/** A replica has this long to prove something before the next one is asked, milliseconds. */
const patienceMs = 300;
const keyBytesMax = 1024;

interface Search {
  readonly nonce: number;
  readonly key: string;
  readonly deadline: number;
  readonly resolve: (proof: StateProof | undefined) => void;
  readonly fail: () => void;
  /** Replicas that have no checkpoint at hand. */
  readonly without: Set<number>;
  target: number;
  askNextAt: number;
}

export interface ProofFinderOptions {
  readonly membership: Membership;
  readonly credential: Credential;
  readonly opener: Opener;
  readonly sealer: Sealer;
  publish(publications: readonly Publication[]): void;
}

/** Asks one replica after the other to prove what a key of the state holds, and hands on no proof that is not genuine. */
export class ProofFinder {
  private readonly searches = new Map<number, Search>();

  constructor(private readonly options: ProofFinderOptions) {}

  /**
   * @returns `undefined` once n−f replicas have said that no checkpoint is stable there
   * @throws {QuorateError} `invalid-request` for a key that no state can hold, and what `error` makes at the deadline
   */
  find(key: string, nonce: number, deadline: number, error: () => QuorateError): Promise<StateProof | undefined> {
    if (!key.isWellFormed() || Buffer.byteLength(key) > keyBytesMax) {
      throw new QuorateError('invalid-request', `a key is well-formed text of at most ${keyBytesMax} bytes`);
    }
    return new Promise((resolve, reject) => {
      const fail = (): void => {
        reject(error());
      };
      const target = nonce % this.options.membership.n;
      this.searches.set(nonce, { nonce, key, deadline, resolve, fail, without: new Set(), target, askNextAt: 0 });
    });
  }

  tick(now: number): void {
    for (const search of this.searches.values()) {
      if (search.deadline <= now) this.end(search, search.fail);
      else if (search.askNextAt <= now) this.askNext(search, now);
    }
  }

  onProof(frame: Frame): void {
    const answer = decoded(() => decodeProof(frame.body));
    const search = answer === 'malformed-frame' ? undefined : this.searches.get(answer.nonce);
    if (search === undefined || !this.options.opener.verify(frame)) return;
    if (frame.attachment.length > 0) {
      const proof = this.documentOf(search.key, frame.attachment);
      if (proof !== undefined) {
        this.end(search, () => {
          search.resolve(proof);
        });
        return;
      }
    } else {
      search.without.add(frame.signer);
    }
    search.askNextAt = 0;
    const { n, f } = this.options.membership;
    if (search.without.size >= n - f) {
      this.end(search, () => {
        search.resolve(undefined);
      });
    }
  }

  private askNext(search: Search, now: number): void {
    const { membership, credential, sealer } = this.options;
    search.target = (search.target + 1) % membership.n;
    search.askNextAt = now + patienceMs;
    const { target, nonce, key } = search;
    this.options.publish(packets('request', [sealer.seal('prove', encodeProve({ credential, target, nonce, key }))]));
  }

  private end({ nonce }: Search, settle: () => void): void {
    this.searches.delete(nonce);
    settle();
  }

  /** What a replica handed out, in the form that everybody can verify; `undefined` when it is not genuine. */
  private documentOf(key: string, attachment: Buffer): StateProof | undefined {
    const { membership } = this.options;
    const document = decoded(() => stateProofOf(key, decodeProofParts(attachment), membership));
    if (document === 'malformed-frame' || !verifyStateProof(document, membership).valid) return undefined;
    return document;
  }
}

/** What a replica has proven, in the form that everybody can verify; not verified yet. @throws {Malformed} */
export function stateProofOf(key: string, parts: ProofParts, membership: Membership): StateProof {
  const { sequence, time, isFound } = parts;
  const [first = null, second = null] = parts.entries.map((bytes) => (bytes === undefined ? null : entryIn(bytes)));
  const signatures = parts.signatures.map(({ signer, signature }) => ({
    replica: membership.replicas[signer]?.name ?? '',
    signature: signature.toString('base64'),
  }));
  return {
    cluster: membership.genesis.cluster,
    epoch: membership.epoch,
    key,
    found: isFound,
    ...(isFound && first !== null ? { value: first.value } : {}),
    checkpoint: { sequence, time, roots: parts.roots.map((root) => root.toString('hex')), signatures },
    hashes: hashesIn(parts.hashes),
    path: hashesIn(parts.path),
    ...(isFound ? {} : { neighbours: { before: first, after: second } }),
  };
}

/** str key ‖ canonical JSON. @throws {Malformed} */
function entryIn(bytes: Buffer): { readonly key: string; readonly value: Json } {
  const reader = new Reader(bytes);
  const key = reader.text(keyBytesMax);
  return { key, value: jsonIn(reader.take(Math.min(bytes.length - reader.position, limits.operationBytesMax))) };
}

function jsonIn(bytes: Buffer): Json {
  try {
    return JSON.parse(bytes.toString('utf8')) as Json;
  } catch {
    return null; // whose hash is another one
  }
}

function hashesIn(bytes: Buffer): string[] {
  const hashBytes = 32;
  return Array.from({ length: bytes.length / hashBytes }, (_, index) =>
    bytes.toString('hex', index * hashBytes, (index + 1) * hashBytes),
  );
}
