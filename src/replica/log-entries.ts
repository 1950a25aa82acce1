import type { ReplicaMessage } from '../pbft/messages.js';
import { quorumSize } from '../pbft/quorum.js';
import type { Opener } from '../wire/envelope.js';
import { decoded, decodeFrame, type Frame } from '../wire/frame.js';
import { decodePhaseBody, digestOfBatchBytes, type PhaseHeader } from '../wire/phase.js';

/** The names of the fields in the hash of one sequence number. */
export const fields = {
  prePrepare: (view: number): string => `pre-prepare:${view}`,
  prepare: (view: number, replica: string): string => `prepare:${view}:${replica}`,
  commit: (view: number, replica: string): string => `commit:${view}:${replica}`,
  /** In the replica's own hash: the newest of each kind. */
  checkpoint: (replica: string): string => `checkpoint:${replica}`,
  viewChange: 'view-change',
  newView: 'new-view',
  /** The batch alone, where it came with a certificate and not with a PRE-PREPARE. */
  batch: 'batch',
} as const;

/** Where in the log a message is kept. */
export function placeOf(
  message: ReplicaMessage,
  nameOf: (replica: number) => string,
): { readonly place: number | 'replica'; readonly field: string } {
  switch (message.kind) {
    case 'pre-prepare':
      return { place: message.sequence, field: fields.prePrepare(message.view) };
    case 'prepare':
      return { place: message.sequence, field: fields.prepare(message.view, nameOf(message.replica)) };
    case 'commit':
      return { place: message.sequence, field: fields.commit(message.view, nameOf(message.replica)) };
    case 'checkpoint':
      return { place: 'replica', field: fields.checkpoint(nameOf(message.replica)) };
    case 'view-change':
      return { place: 'replica', field: fields.viewChange };
    case 'new-view':
      return { place: 'replica', field: fields.newView };
  }
}

/** One sequence number's hash as it was read back: frames of the right form, of which no signature was looked at yet. */
export interface LogEntry {
  readonly prePrepares: readonly { readonly frame: Frame; readonly header: PhaseHeader }[];
  readonly prepares: readonly { readonly frame: Frame; readonly header: PhaseHeader }[];
  readonly commits: readonly { readonly frame: Frame; readonly header: PhaseHeader }[];
  readonly batch: Buffer | undefined;
}

const phases = ['pre-prepare', 'prepare', 'commit'] as const;

/** Takes a hash apart; whatever in it is not of this cluster and sequence number is left out. */
export function readEntry(hash: Readonly<Record<string, Buffer>>, sequence: number, genesisDigest: Buffer): LogEntry {
  const found = Object.values(hash).flatMap((bytes) => {
    const frame = decodeFrame(bytes, genesisDigest);
    if (typeof frame === 'string') return [];
    const kind = phases.find((phase) => phase === frame.kind);
    if (kind === undefined) return [];
    const header = decoded(() => decodePhaseBody(kind, frame.signer, frame.body));
    return header === 'malformed-frame' || header.sequence !== sequence ? [] : [{ frame, header }];
  });
  const ofKind = (kind: PhaseHeader['kind']): typeof found => found.filter(({ header }) => header.kind === kind);
  return {
    prePrepares: ofKind('pre-prepare'),
    prepares: ofKind('prepare'),
    commits: ofKind('commit'),
    batch: hash[fields.batch],
  };
}

/** A batch and q COMMIT frames for it out of an entry, if they are there; signatures verified when `opener` is given. */
export function certificateIn(
  entry: LogEntry,
  n: number,
  opener?: Opener,
): { readonly batch: Buffer; readonly commits: readonly Frame[] } | undefined {
  const batches = [...entry.prePrepares.map(({ frame }) => frame.attachment), ...(entry.batch ? [entry.batch] : [])];
  for (const batch of batches) {
    const digest = digestOfBatchBytes(batch);
    for (const view of new Set(entry.commits.map(({ header }) => header.view))) {
      const votes = new Map<number, Frame>();
      for (const { frame, header } of entry.commits) {
        const isFor = header.view === view && header.digest === digest && header.replica < n;
        if (isFor && (opener?.verify(frame) ?? true)) votes.set(header.replica, frame);
      }
      if (votes.size >= quorumSize(n)) return { batch, commits: [...votes.values()].slice(0, quorumSize(n)) };
    }
  }
  return undefined;
}
