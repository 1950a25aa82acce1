import type { Batch, Checkpoint, Commit, CommittedCertificate, Prepare, PrePrepare } from '../../src/pbft/messages.js';
import type { ReplyProof } from '../../src/pbft/core.js';
import type { ReplyLeaf } from '../../src/pbft/effects.js';
import type { Request, RequestBundle } from '../../src/pbft/messages.js';
import {
  digest,
  replicaIndex,
  sequence,
  view,
  type Digest,
  type SequenceNumber,
  type View,
} from '../../src/pbft/types.js';

/**
 * Messages for the core, made by hand. The core takes everything as verified, so digests are readable texts here: equal
 * for equal contents, different for different ones, which is all that the core knows of a digest.
 */

/** What every clock shows when a test begins, milliseconds since 1970. */
export const clockStart = 1_700_000_000_000;

export function request(client: string, timestamp: number, operation = `operation ${timestamp}`): Request {
  return {
    client,
    timestamp,
    operation: new TextEncoder().encode(operation),
    operationDigest: digest(`of ${operation}`),
    digest: digest(`${client}#${timestamp}:${operation}`),
  };
}

export interface BundleOptions {
  readonly gateway?: string;
  readonly lastSequence?: number;
  readonly size?: number;
}

export function bundle(requests: readonly Request[], options: BundleOptions = {}): RequestBundle {
  const { gateway = 'gateway-1', lastSequence = 1000, size = 100 } = options;
  const names = requests.map((one) => one.digest).join();
  return {
    gateway,
    lastSequence: sequence(lastSequence),
    requests,
    digest: digest(`bundle(${gateway}/${lastSequence}/${names})`),
    size,
  };
}

/** A bundle with one request of `client`. */
export function ask(client: string, timestamp: number, options: BundleOptions = {}): RequestBundle {
  return bundle([request(client, timestamp)], options);
}

/** The digest of a batch with this content. */
export function digestOfBatch(content: Pick<Batch, 'view' | 'time' | 'bundles'>): Digest {
  const names = content.bundles.map((one) => one.digest).join();
  return digest(`batch(${content.view}/${content.time}/${names})`);
}

const noPath = (): Uint8Array => new Uint8Array();

/** Names the replies' tree by what is in it; paths are left to the wire's tests. */
export function proveReplies(leaves: readonly ReplyLeaf[]): ReplyProof {
  const names = leaves.map(({ requestDigest, resultDigest }) => `${requestDigest}=${resultDigest}`);
  return { root: digest(`replies(${names.join()})`), path: noPath };
}

export interface BatchOptions {
  readonly view?: number;
  /** Milliseconds since 1970. */
  readonly time?: number;
}

export function batch(bundles: readonly RequestBundle[], options: BatchOptions = {}): Batch {
  const content = { view: view(options.view ?? 0), time: options.time ?? clockStart, bundles };
  return { ...content, digest: digestOfBatch(content) };
}

/** The batch that a new view orders where nothing can have committed. */
export const nullBatch: Batch = { view: view(0), time: 0, bundles: [], digest: digest('null-batch') };

export interface ProposalOptions {
  readonly view?: number;
  /** Its signer: the primary of view 0 when absent. */
  readonly replica?: number;
  readonly digest?: Digest;
}

export function prePrepare(place: number, content: Batch, options: ProposalOptions = {}): PrePrepare {
  return {
    kind: 'pre-prepare',
    view: view(options.view ?? 0),
    sequence: sequence(place),
    digest: options.digest ?? content.digest,
    replica: replicaIndex(options.replica ?? 0),
    batch: content,
  };
}

/** A PRE-PREPARE of view 0's primary for a batch with one request, which is another one at each sequence number. */
export function proposal(place: number, client = 'client-1'): PrePrepare {
  return prePrepare(place, batch([ask(client, place)]));
}

/** What a vote is about. */
export interface Subject {
  readonly view: View;
  readonly sequence: SequenceNumber;
  readonly digest: Digest;
}

export function prepare(replica: number, about: Subject): Prepare {
  const { view: number, sequence: place, digest: voted } = about;
  return { kind: 'prepare', view: number, sequence: place, digest: voted, replica: replicaIndex(replica) };
}

export function commit(replica: number, about: Subject): Commit {
  return { ...prepare(replica, about), kind: 'commit' };
}

export function checkpoint(replica: number, place: number, state: Digest): Checkpoint {
  return { kind: 'checkpoint', sequence: sequence(place), digest: state, replica: replicaIndex(replica) };
}

/** A batch with the COMMITs of `signers`: by default q of n = 4, the primary not among them. */
export function certificate(about: PrePrepare, signers: readonly number[] = [1, 2, 3]): CommittedCertificate {
  if (about.batch === undefined) throw new Error('a certificate comes with its batch');
  return { kind: 'certificate', batch: about.batch, commits: signers.map((signer) => commit(signer, about)) };
}
