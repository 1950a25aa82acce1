import type { Membership } from '../crypto/membership.js';
import { QuorateError } from '../errors.js';
import type { Publication } from '../ports/bus.js';
import type { Credential } from '../wire/credential.js';
import type { Opener, Sealer } from '../wire/envelope.js';
import { decoded, type Frame } from '../wire/frame.js';
import { packets } from '../wire/packets.js';
import { decodeDecided, encodeFetch } from '../wire/service.js';
import { agreedBatchIn } from './agreed-batch.js';
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
    const batch =
      frame.attachment.length === 0 ? undefined : agreedBatchIn(frame.attachment, decided.sequence, this.options);
    for (const search of searches) {
      if (batch !== undefined) {
        this.end(decided.sequence, search, () => {
          search.resolve(batch);
        });
        continue;
      }
      search.askNextAt = 0;
      if (frame.attachment.length > 0) continue; // whoever shows what proves nothing has not said that it is gone
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
}
