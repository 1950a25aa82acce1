import type { Configuration } from './configuration.js';
import type { NewView, PreparedCertificate, StableCheckpoint, ViewChange } from './messages.js';
import { primaryOf } from './quorum.js';
import type { Digest, SequenceNumber, View } from './types.js';

/** Whether a stable checkpoint is proven: q CHECKPOINTs of distinct replicas for one sequence number and digest. */
function isStableProven({ sequence, proof }: StableCheckpoint, { q }: Configuration): boolean {
  if (sequence === 0) return proof.length === 0;
  const digest = proof[0]?.digest;
  const signers = new Set(proof.map((checkpoint) => checkpoint.replica));
  const isSame = proof.every((checkpoint) => checkpoint.sequence === sequence && checkpoint.digest === digest);
  return isSame && signers.size === proof.length && signers.size >= q;
}

/** Whether a certificate proves that its batch prepared: the primary's PRE-PREPARE and q−1 PREPAREs of distinct backups. */
export function isPreparedProven({ prePrepare, prepares }: PreparedCertificate, { n, q }: Configuration): boolean {
  const { view, sequence, digest, replica: primary } = prePrepare;
  if (primary !== primaryOf(view, n)) return false;
  const signers = new Set(prepares.map((prepare) => prepare.replica));
  if (signers.has(primary) || signers.size !== prepares.length || signers.size < q - 1) return false;
  return prepares.every((vote) => vote.view === view && vote.sequence === sequence && vote.digest === digest);
}

/**
 * Whether a VIEW-CHANGE is one that a correct replica could have sent (rule 16): its checkpoint is proven, and so is
 * each of its certificates, of a lower view, one for a sequence number, between the water marks.
 */
export function isSoundViewChange({ view, stable, prepared }: ViewChange, configuration: Configuration): boolean {
  if (!isStableProven(stable, configuration)) return false;
  const high = stable.sequence + configuration.options.logSize;
  const places = new Set(prepared.map(({ prePrepare }) => prePrepare.sequence));
  if (places.size !== prepared.length) return false;
  return prepared.every((certificate) => {
    const { prePrepare } = certificate;
    const isInWindow = prePrepare.sequence > stable.sequence && prePrepare.sequence <= high;
    return isInWindow && prePrepare.view < view && isPreparedProven(certificate, configuration);
  });
}

/** What a new view must order, as anybody computes it from q VIEW-CHANGEs (paper §4.4, rule 16). */
export interface NewViewPlan {
  /** The highest proven stable checkpoint over the whole set. */
  readonly stable: StableCheckpoint;
  /** For each sequence number above it, up to the highest that prepared: the digest to order there. */
  readonly order: readonly { readonly sequence: SequenceNumber; readonly digest: Digest }[];
}

/**
 * min-s is the highest stable checkpoint, max-s the highest prepared sequence number; in between the certificate of the
 * highest view decides, and where there is none, the null batch: nothing can have committed there, or one of the q
 * would have had it prepared.
 */
export function planNewView(viewChanges: readonly ViewChange[], nullDigest: Digest): NewViewPlan {
  const stable = viewChanges.map((message) => message.stable).reduce((a, b) => (b.sequence > a.sequence ? b : a));
  const best = new Map<SequenceNumber, { readonly view: View; readonly digest: Digest }>();
  let last = stable.sequence;
  for (const { prePrepare } of viewChanges.flatMap(({ prepared }) => prepared)) {
    const { sequence, view, digest } = prePrepare;
    if (sequence <= stable.sequence) continue;
    if (sequence > last) last = sequence;
    const known = best.get(sequence);
    if (known === undefined || view > known.view) best.set(sequence, { view, digest });
  }
  const order = [];
  for (let place = stable.sequence + 1; place <= last; place++) {
    const sequence = place as SequenceNumber;
    order.push({ sequence, digest: best.get(sequence)?.digest ?? nullDigest });
  }
  return { stable, order };
}

/** Whether a NEW-VIEW follows from the VIEW-CHANGEs in it, and these are q sound ones of distinct replicas (rule 16). */
export function isSoundNewView(
  { view, replica, viewChanges, prePrepares }: NewView,
  configuration: Configuration,
  nullDigest: Digest,
): boolean {
  if (replica !== primaryOf(view, configuration.n)) return false;
  const senders = new Set(viewChanges.map((message) => message.replica));
  if (senders.size !== viewChanges.length || senders.size < configuration.q) return false;
  if (!viewChanges.every((message) => message.view === view && isSoundViewChange(message, configuration))) return false;
  const { order } = planNewView(viewChanges, nullDigest);
  if (order.length !== prePrepares.length) return false;
  return prePrepares.every(({ sequence, digest, view: ordered, replica: signer }, index) => {
    const due = order[index];
    return due?.sequence === sequence && due.digest === digest && ordered === view && signer === replica;
  });
}
