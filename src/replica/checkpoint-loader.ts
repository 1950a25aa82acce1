import { digestOfCheckpoint } from '../crypto/checkpoint-head.js';
import { quorumSize } from '../pbft/quorum.js';
import type { Digest } from '../pbft/types.js';
import type { Logger } from '../ports/logger.js';
import type { MessageLog } from '../ports/message-log.js';
import { bucketOf } from '../state-machine/hash-tree.js';
import { MerkleMap, type Item } from '../state-machine/merkle-map.js';
import type { Opener } from '../wire/envelope.js';
import { decoded } from '../wire/frame.js';
import { decodeCheckpoint } from '../wire/views.js';
import type { StoredState } from './checkpoint-store.js';
import type { CheckpointedState, Part } from './checkpointed-state.js';
import {
  decodeStoredRecord,
  fieldOf,
  ownFields,
  parseField,
  storedBytesMax,
  type StoredRecord,
} from './state-fields.js';

export interface LoaderOptions {
  readonly log: MessageLog;
  /** Must be empty; it becomes what is stored. */
  readonly state: CheckpointedState;
  readonly opener: Opener;
  readonly n: number;
  readonly logger: Pick<Logger, 'error'>;
}

/** The field of a key that counts, so far. */
interface Winner {
  readonly generation: number;
  /** `undefined`: the key was deleted. `bad`: no part has encoded this. */
  readonly item: Item | undefined | 'bad';
}

/** What was read of one part. */
class PartReading {
  readonly winners = new Map<string, Winner>();

  constructor(
    private readonly index: number,
    private readonly part: Part,
    private readonly stale: string[],
  ) {}

  take(key: string, generation: number, value: Buffer): void {
    const before = this.winners.get(key);
    if (before?.generation === generation) return; // a scan may bring a field twice
    if (before !== undefined) this.stale.push(fieldOf(this.index, Math.min(before.generation, generation), key));
    if (before !== undefined && before.generation > generation) return;
    const item = value.length === 0 ? undefined : this.part.decode(Buffer.from(value));
    const isBad = value.length > 0 && item?.key !== key;
    this.winners.set(key, { generation, item: isBad ? 'bad' : item });
  }

  /** Everything that counts, and of which generation it is; `undefined` when something is bad. */
  finish(): { readonly content: MerkleMap<Item>; readonly generations: Map<string, number> } | undefined {
    const content = new MerkleMap<Item>();
    const generations = new Map<string, number>();
    for (const [key, { item, generation }] of this.winners) {
      if (item === 'bad') return undefined;
      if (item === undefined) {
        this.stale.push(fieldOf(this.index, generation, key)); // after what it hides
        continue;
      }
      content.set(item);
      generations.set(key, generation);
    }
    return { content, generations };
  }
}

/**
 * Reads the checkpoint that is stored, and makes it the state. Whoever runs Redis could have changed it, so it counts only if
 * its digest is the one that q replicas have signed (rules 28 and 30).
 *
 * @returns what the store goes on from; `undefined`, and the state is empty, when none is stored or it is not genuine, which is logged
 * @throws when the log cannot be read: that says nothing about what is there
 * @throws {QuorateError} `state-format` when another release has stored it
 */
export async function loadCheckpoint(options: LoaderOptions): Promise<StoredState | undefined> {
  const bytes = (await options.log.readReplica())[ownFields.stored];
  if (bytes === undefined || bytes.length === 0) return undefined;
  const record = decodeStoredRecord(bytes);
  const found = record && (await readState(options, record));
  if (found === undefined)
    options.logger.error({}, 'the checkpoint that is stored in Redis cannot be read: it is dropped');
  return found;
}

async function readState(options: LoaderOptions, record: StoredRecord): Promise<StoredState | undefined> {
  const { log, state } = options;
  const digest = provenDigest(options, record);
  if (digest === undefined) return undefined;

  const stale: string[] = [];
  const readings = state.parts.map((part, index) => new PartReading(index, part, stale));
  let bytesRead = 0;
  for await (const [field, value] of log.scanState()) {
    bytesRead += field.length + value.length;
    if (bytesRead > storedBytesMax) return undefined;
    const parsed = parseField(field);
    const reading = parsed && readings[parsed.part];
    if (parsed === undefined || reading === undefined || !counts(parsed.generation, record)) stale.push(field);
    else reading.take(parsed.key, parsed.generation, value);
  }
  const parts = readings.flatMap((reading) => reading.finish() ?? []);
  const roots = parts.map(({ content }) => Buffer.from(content.digest(), 'hex'));
  const head = { sequence: record.sequence, time: record.time, roots };
  if (parts.length < readings.length || digestOfCheckpoint(head) !== digest) return undefined;

  const base = state.present();
  const replaced = parts.map(({ content }) => bucketsOf(content));
  const snapshot = state.install({ head, digest, base, replaced }).retain();
  base.release();
  const { since, proof } = record;
  return { snapshot, since, proof, generations: parts.map(({ generations }) => generations), stale };
}

function counts(generation: number, { since, sequence }: StoredRecord): boolean {
  return generation >= since && generation <= sequence;
}

/** The digest for which the record has the CHECKPOINTs of q replicas. */
function provenDigest({ opener, n }: LoaderOptions, { sequence, proof }: StoredRecord): Digest | undefined {
  const signers = new Map<number, Digest>();
  for (const bytes of proof) {
    const frame = opener.openInner(bytes, 'checkpoint');
    if (typeof frame === 'string' || !opener.verify(frame)) return undefined;
    const body = decoded(() => decodeCheckpoint(frame.body));
    if (body === 'malformed-frame' || body.sequence !== sequence) return undefined;
    signers.set(frame.signer, body.digest);
  }
  const [digest] = signers.values();
  const isProven = signers.size >= quorumSize(n) && [...signers.values()].every((other) => other === digest);
  return isProven ? digest : undefined;
}

function bucketsOf(content: MerkleMap<Item>): ReadonlyMap<number, readonly Item[]> {
  const buckets = new Map<number, readonly Item[]>();
  for (const { key } of content.items()) {
    const bucket = bucketOf(key);
    if (!buckets.has(bucket)) buckets.set(bucket, content.itemsOf(bucket));
  }
  return buckets;
}
