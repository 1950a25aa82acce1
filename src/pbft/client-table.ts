import { limits } from './configuration.js';
import type { CachedReply, ClientHeader, Executed, ReplyChanges, ReplyGroup, ReplyTable } from './effects.js';
import type { Request } from './messages.js';
import type { SequenceNumber } from './types.js';

/** What the table knows of a request: never executed, executed, or so old that it can no longer tell. */
export type Standing = 'fresh' | 'executed' | 'stale';

/** One client's executed requests: the `limits.clientWindow` with the highest timestamps. */
class ClientRecord {
  /** How many of each group's replies are in the window. */
  readonly groups = new Map<SequenceNumber, number>();
  /** In the order of their timestamps, from `first` on. */
  private replies: CachedReply[] = [];
  private first = 0;
  /** What its results count towards the limits. */
  bytes = 0;

  constructor(public header: ClientHeader) {}

  /** How many replies there are. */
  get size(): number {
    return this.replies.length - this.first;
  }

  standing(timestamp: number): Standing {
    if (timestamp > this.newest) return 'fresh'; // as nearly all are
    if (this.cached(timestamp) !== undefined) return 'executed';
    return timestamp <= this.header.forgotten ? 'stale' : 'fresh';
  }

  cached(timestamp: number): CachedReply | undefined {
    if (timestamp > this.newest) return undefined;
    const reply = this.replies[this.rankOf(timestamp)];
    return reply?.executed.timestamp === timestamp ? reply : undefined;
  }

  /** Takes replies of one batch. */
  add(replies: readonly CachedReply[], place: SequenceNumber): void {
    this.groups.set(place, (this.groups.get(place) ?? 0) + replies.length);
    for (const reply of replies) {
      const { timestamp, result } = reply.executed;
      this.bytes += costOf(result);
      if (timestamp > this.newest) this.replies.push(reply);
      else this.replies.splice(this.rankOf(timestamp), 0, reply);
    }
  }

  /** Forgets the lowest timestamps until the window is within its limits. @returns groups of which none is left */
  shrink(): SequenceNumber[] {
    const gone: SequenceNumber[] = [];
    let { forgotten } = this.header;
    while (this.isTooLarge()) {
      const lowest = this.replies[this.first];
      if (lowest === undefined) break;
      this.first++;
      forgotten = lowest.executed.timestamp;
      this.bytes -= costOf(lowest.executed.result);
      const place = lowest.statement.sequence;
      const left = (this.groups.get(place) ?? 0) - 1;
      if (left > 0) this.groups.set(place, left);
      else if (this.groups.delete(place)) gone.push(place);
    }
    if (forgotten !== this.header.forgotten) this.header = { ...this.header, forgotten };
    this.compact();
    return gone;
  }

  /** Forgets all replies, but not that they were: what it has executed it never executes again. @returns their groups */
  squeeze(): SequenceNumber[] {
    const gone = [...this.groups.keys()];
    this.header = { ...this.header, forgotten: this.newest };
    this.replies = [];
    this.first = 0;
    this.groups.clear();
    this.bytes = 0;
    return gone;
  }

  /** The highest timestamp that was executed. */
  private get newest(): number {
    return this.replies[this.replies.length - 1]?.executed.timestamp ?? this.header.forgotten;
  }

  /** Where the reply to this timestamp is, or would be. */
  private rankOf(timestamp: number): number {
    let low = this.first;
    let high = this.replies.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.replies[middle]?.executed.timestamp ?? 0) < timestamp) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Drops what lies before `first` once that is a quarter of the array: shifting it each time would move all that is behind. */
  private compact(): void {
    if (4 * this.first < this.replies.length) return;
    this.replies = this.replies.slice(this.first);
    this.first = 0;
  }

  private isTooLarge(): boolean {
    return this.size > limits.clientWindow || (this.size > 1 && this.bytes > limits.clientResultBytesMax);
  }
}

/**
 * Who has executed what, and with what result: exactly once rests on it (rule 12). A function of the executed batches
 * alone, so that it is equal at all correct replicas after the same sequence number; it is a part of the checkpointed
 * state, and is transferred with it.
 *
 * Each client has a window of timestamps, not a last one: with only a last one a primary censors a request by ordering
 * a later one first. The table is bounded: when the replies take too much room, those of the client that executed least
 * recently go, but not that it has executed them; when there are too many clients, that one leaves, but not before every
 * bundle of its that could be replayed has expired.
 *
 * To the checkpoint it is headers, one for each client, and groups: the replies of one batch to one client. A group is
 * there while one of its replies is in the window, which is when its timestamp is above the header's `forgotten`.
 */
export class ClientTable {
  /** From the client that executed least recently to the one that executed last. */
  private readonly records = new Map<string, ClientRecord>();
  /** Those of them that have replies, in the same order. */
  private readonly replying = new Set<string>();
  private bytes = 0;
  private headerChanges = new Map<string, ClientHeader | undefined>();
  private groupChanges = new Map<string, Map<SequenceNumber, ReplyGroup | undefined>>();

  standing(request: Request): Standing {
    return this.records.get(request.client)?.standing(request.timestamp) ?? 'fresh';
  }

  /** The reply of (client, timestamp), which may belong to another operation than the one that is asked about. */
  cached(request: Request): CachedReply | undefined {
    return this.records.get(request.client)?.cached(request.timestamp);
  }

  /** Takes what one batch executed, in its order. */
  add(replies: readonly CachedReply[]): void {
    const groups = new Map<string, CachedReply[]>();
    for (const reply of replies) {
      const { client } = reply.executed;
      const group = groups.get(client) ?? [];
      group.push(reply);
      groups.set(client, group);
    }
    for (const [client, group] of groups) {
      const [first] = group;
      if (first !== undefined) this.addGroup({ client, statement: first.statement, replies: group });
    }
    // Whoever executed last in the batch is the last to leave.
    const order = [...groups].map(([client, group]) => ({ client, index: group.at(-1)?.executed.index ?? 0 }));
    for (const { client } of order.sort((a, b) => a.index - b.index)) this.touch(client);
    const now = replies[0]?.statement.sequence;
    if (now !== undefined) this.evict(now);
  }

  get clients(): number {
    return this.records.size;
  }

  /** What has changed since it was last asked. */
  takeChanges(): ReplyChanges {
    const changes = { headers: this.headerChanges, groups: this.groupChanges };
    this.headerChanges = new Map();
    this.groupChanges = new Map();
    return changes;
  }

  /**
   * Becomes the table of a checkpoint. At its limits (65,536 clients, 524,288 replies) that and reading it out of the state
   * take about a second in which nothing else is done: at a start, and when a fetched state is installed, by a replica for
   * which nobody waits since it was behind. It suspects nobody for it, as its own timers count ticks.
   */
  restore({ headers, groups }: ReplyTable): void {
    this.records.clear();
    this.bytes = 0;
    const oldestFirst = [...headers].sort((a, b) => a.lastSequence - b.lastSequence || a.lastIndex - b.lastIndex);
    for (const header of oldestFirst) this.records.set(header.client, new ClientRecord(header));
    // In the order in which they were executed, which is nearly that of their timestamps.
    const inOrder = [...groups].sort((a, b) => a.statement.sequence - b.statement.sequence);
    for (const group of inOrder) {
      const record = this.records.get(group.client);
      if (record === undefined) continue;
      const remembered = group.replies.filter(({ executed }) => executed.timestamp > record.header.forgotten);
      if (remembered.length > 0) record.add(remembered, group.statement.sequence);
    }
    this.replying.clear();
    for (const [client, record] of this.records) {
      this.bytes += record.bytes;
      if (record.size > 0) this.replying.add(client);
    }
    this.takeChanges();
  }

  private addGroup(group: ReplyGroup): void {
    const { client, statement, replies } = group;
    const { index } = lastOf(replies);
    const last = { lastSequence: statement.sequence, lastIndex: index };
    const record = this.records.get(client) ?? new ClientRecord({ client, forgotten: -1, ...last });
    record.header = { ...record.header, ...last };
    this.bytes -= record.bytes;
    this.groupChanged(client, statement.sequence, group);
    record.add(replies, statement.sequence);
    for (const gone of record.shrink()) this.groupChanged(client, gone, undefined);
    this.bytes += record.bytes;
    this.records.set(client, record);
    this.headerChanges.set(client, record.header);
  }

  private touch(client: string): void {
    const record = this.records.get(client);
    if (record === undefined) return;
    this.records.delete(client);
    this.records.set(client, record);
    this.replying.delete(client);
    this.replying.add(client);
  }

  private evict(now: SequenceNumber): void {
    for (const client of this.replying) {
      if (this.bytes <= limits.replyCacheBytesMax) break;
      this.squeeze(client);
    }
    for (const [client, record] of this.records) {
      const isFull = this.records.size > limits.clientsMax;
      if (!isFull || record.header.lastSequence + limits.bundleLifetime >= now) return;
      this.bytes -= record.bytes;
      this.records.delete(client);
      this.replying.delete(client);
      this.headerChanges.set(client, undefined);
      for (const place of record.groups.keys()) this.groupChanged(client, place, undefined);
    }
  }

  private squeeze(client: string): void {
    const record = this.records.get(client);
    this.replying.delete(client);
    if (record === undefined) return;
    this.bytes -= record.bytes;
    for (const place of record.squeeze()) this.groupChanged(client, place, undefined);
    this.headerChanges.set(client, record.header);
  }

  private groupChanged(client: string, place: SequenceNumber, group: ReplyGroup | undefined): void {
    const changed = this.groupChanges.get(client) ?? new Map<SequenceNumber, ReplyGroup | undefined>();
    changed.set(place, group);
    this.groupChanges.set(client, changed);
  }
}

/** A reply takes room beside its result: without that the tiniest ones would fill the memory. */
const costOf = (result: Uint8Array): number => result.length + limits.replyOverheadBytes;

function lastOf(replies: readonly CachedReply[]): Executed {
  const last = replies.at(-1);
  if (last === undefined) throw new RangeError('a group without replies');
  return last.executed;
}
