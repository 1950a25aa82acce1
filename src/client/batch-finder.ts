import type { Membership } from '../crypto/membership.js';
import { QuorateError } from '../errors.js';
import type { Request, RequestBundle } from '../pbft/messages.js';
import type { Publication } from '../ports/bus.js';
import { decodeBundleBody } from '../wire/bundle.js';
import type { Credential } from '../wire/credential.js';
import type { Opener, Sealer } from '../wire/envelope.js';
import { decoded, type Frame } from '../wire/frame.js';
import type { Json } from '../wire/json.js';
import { packets } from '../wire/packets.js';
import { decodeBatch, decodePhaseBody } from '../wire/phase.js';
import { decodeCertificate, decodeDecided, encodeFetch } from '../wire/service.js';
import type { AgreedBatch } from './cluster-client.js';

/** A replica has this long to hand a batch out before the next one is asked, milliseconds. */
const patienceMs = 300;

interface Search {
  readonly deadline: number;
  readonly resolve: (batch: AgreedBatch | undefined) => void;
  readonly reject: (error: QuorateError) => void;
  readonly fail: () => void;
  /** Replicas that have executed nothing there yet, and those that have it no longer. */
  readonly without: Set<number>;
  readonly collected: Set<number>;
  target: number;
  askNextAt: number;
}

export interface BatchFinderOptions {
  readonly membership: Membership;
  readonly credential: Credential;
  readonly opener: Opener;
  readonly sealer: Sealer;
  publish(publications: readonly Publication[]): void;
}

/** Asks one replica after the other for an agreed batch, and verifies the certificate that comes with it. */
export class BatchFinder {
  private readonly searches = new Map<number, Set<Search>>();

  constructor(private readonly options: BatchFinderOptions) {}

  /**
   * @returns `undefined` once f+1 replicas have said that they have executed nothing there
   * @throws {QuorateError} `log-collected` once n−f say that their logs no longer go back so far
   */
  find(sequence: number, deadline: number, error: () => QuorateError): Promise<AgreedBatch | undefined> {
    return new Promise((resolve, reject) => {
      const fail = (): void => {
        reject(error());
      };
      const search: Search = {
        deadline,
        resolve,
        reject,
        fail,
        without: new Set(),
        collected: new Set(),
        target: -1,
        askNextAt: 0,
      };
      const others = this.searches.get(sequence) ?? new Set();
      this.searches.set(sequence, others.add(search));
    });
  }

  tick(now: number): void {
    for (const [sequence, searches] of this.searches) {
      for (const search of searches) {
        if (search.deadline <= now) this.end(sequence, search, search.fail);
        else if (search.askNextAt <= now) this.askNext(sequence, search, now);
      }
    }
  }

  onDecided(frame: Frame): void {
    const decided = decoded(() => decodeDecided(frame.body));
    if (decided === 'malformed-frame') return;
    const searches = this.searches.get(decided.sequence);
    if (searches === undefined || !this.options.opener.verify(frame)) return;
    const batch = frame.attachment.length === 0 ? undefined : this.verified(decided.sequence, frame.attachment);
    for (const search of searches) {
      if (batch !== undefined) {
        this.end(decided.sequence, search, () => {
          search.resolve(batch);
        });
        continue;
      }
      search.askNextAt = 0;
      const { n, f } = this.options.membership;
      (decided.lastExecuted < decided.sequence ? search.without : search.collected).add(frame.signer);
      if (search.collected.size >= n - f) {
        const message = 'The replicas have removed the log of this sequence number: a later checkpoint is stable.';
        this.end(decided.sequence, search, () => {
          search.reject(new QuorateError('log-collected', message, { sequence: decided.sequence }));
        });
      } else if (search.without.size > f) {
        this.end(decided.sequence, search, () => {
          search.resolve(undefined);
        });
      }
    }
  }

  private askNext(sequence: number, search: Search, now: number): void {
    search.target = (search.target + 1) % this.options.membership.n;
    search.askNextAt = now + patienceMs;
    const body = encodeFetch({ target: search.target, from: sequence, count: 1 }, this.options.credential);
    this.options.publish(packets('request', [this.options.sealer.seal('fetch', body)]));
  }

  private end(sequence: number, search: Search, settle: () => void): void {
    const searches = this.searches.get(sequence);
    searches?.delete(search);
    if (searches?.size === 0) this.searches.delete(sequence);
    settle();
  }

  /** The batch, if q distinct replicas have committed to it at this sequence number. */
  private verified(sequence: number, attachment: Buffer): AgreedBatch | undefined {
    const { membership, opener } = this.options;
    const parts = decoded(() => decodeCertificate(attachment));
    if (parts === 'malformed-frame') return undefined;
    const bundles: RequestBundle[] = [];
    const batch = decoded(() =>
      decodeBatch(parts.batch, (bytes) => {
        const frame = opener.openInner(bytes, 'request');
        if (typeof frame === 'string') return frame;
        const { bundle } = decodeBundleBody(frame.body, bytes.length);
        bundles.push(bundle);
        return bundle;
      }),
    );
    if (typeof batch === 'string') return undefined;
    const certificate = new Map<number, { replica: string; frame: string }>();
    let view: number | undefined;
    for (const bytes of parts.commitFrames) {
      const frame = opener.openInner(bytes, 'commit');
      if (typeof frame === 'string') return undefined;
      const header = decoded(() => decodePhaseBody('commit', frame.signer, frame.body));
      if (header === 'malformed-frame' || header.digest !== batch.digest || header.sequence !== sequence)
        return undefined;
      view ??= header.view;
      if (header.view !== view || !opener.verify(frame)) return undefined;
      certificate.set(frame.signer, {
        replica: membership.replicas[frame.signer]?.name ?? '',
        frame: bytes.toString('base64'),
      });
    }
    if (view === undefined || certificate.size < membership.q) return undefined;
    // Only now: what q replicas have committed to, a correct one has found to be operations, hence JSON.
    const requests = bundles.flatMap(({ requests: ordered }) => ordered.map(describeRequest));
    return {
      sequence,
      view: batch.view,
      digest: batch.digest,
      time: batch.time,
      requests,
      certificate: [...certificate.values()],
    };
  }
}

function describeRequest({ digest, client, timestamp, operation }: Request): AgreedBatch['requests'][number] {
  return { id: digest, client, timestamp, operation: JSON.parse(Buffer.from(operation).toString('utf8')) as Json };
}
