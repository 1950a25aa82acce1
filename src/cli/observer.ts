import { trusted } from '../client/trusted.js';
import { harmless } from './context.js';
import type { Status } from './status-view.js';

/** Something that changed between two looks at the cluster. */
export interface ClusterEvent {
  /** ISO 8601, by this machine's clock. */
  readonly time: string;
  readonly kind: 'gateway' | 'view-change' | 'replica' | 'checkpoint';
  readonly text: string;
}

/** One look at the cluster, and what changed since the last. */
export interface Observation {
  readonly time: string;
  /** `null`: the gateway did not answer. */
  readonly status: Status | null;
  /** The highest sequence number that f+1 replicas say they have executed: at least one of them is honest. */
  readonly executed: number | null;
  /** Agreed batches a second since the last look; `null` where there is none to compare with. */
  readonly batchesPerSecond: number | null;
  readonly events: readonly ClusterEvent[];
}

/** Compares each look at a cluster with the one before. Knows no clock: its caller says when each was. */
export class Observer {
  private last: { readonly status: Status; readonly executed: number | null; readonly atMs: number } | undefined;
  private isAway = false;

  /** @param atMs when the status was read, milliseconds since 1970 */
  see(status: Status, atMs: number): Observation {
    const time = new Date(atMs).toISOString();
    const executed = executedByMany(status);
    const changes: Omit<ClusterEvent, 'time'>[] = [];
    if (this.isAway) changes.push({ kind: 'gateway', text: 'the gateway answers again' });
    if (this.last !== undefined) changes.push(...changesBetween(this.last.status, status));
    const batchesPerSecond = this.rate(executed, atMs);
    this.isAway = false;
    this.last = { status, executed, atMs };
    return { time, status, executed, batchesPerSecond, events: changes.map((change) => ({ time, ...change })) };
  }

  /** The gateway did not answer. It is an event once, however long it lasts. */
  miss(reason: string, atMs: number): Observation {
    const time = new Date(atMs).toISOString();
    const events = this.isAway ? [] : [{ time, kind: 'gateway' as const, text: harmless(reason) }];
    this.isAway = true;
    return { time, status: null, executed: null, batchesPerSecond: null, events };
  }

  private rate(executed: number | null, atMs: number): number | null {
    if (this.last === undefined || this.last.executed === null || executed === null) return null;
    const seconds = (atMs - this.last.atMs) / 1000;
    if (seconds <= 0) return null;
    return Math.round((Math.max(0, executed - this.last.executed) / seconds) * 10) / 10;
  }
}

/** Each replica's word is its own: where f+1 are, an honest one is. */
function executedByMany({ replicas, f }: Status): number | null {
  const known = replicas.flatMap(({ lastExecuted }) => (lastExecuted === null ? [] : [lastExecuted]));
  return trusted(known, f) ?? null;
}

function changesBetween(before: Status, now: Status): Omit<ClusterEvent, 'time'>[] {
  const changes: Omit<ClusterEvent, 'time'>[] = [];
  if (now.view !== before.view)
    changes.push({ kind: 'view-change', text: `view ${String(now.view)}: ${harmless(now.primary)} is primary` });
  const earlier = new Map(before.replicas.map((replica) => [replica.replica, replica]));
  for (const replica of now.replicas) {
    const was = earlier.get(replica.replica);
    if (was === undefined) continue;
    const name = harmless(replica.replica);
    if (was.connected && !replica.connected)
      changes.push({ kind: 'replica', text: `${name} is not heard of any more` });
    if (!was.connected && replica.connected) changes.push({ kind: 'replica', text: `${name} is back` });
    if (replica.connected && was.voting !== false && replica.voting === false) {
      changes.push({
        kind: 'replica',
        text: `${name} does not vote: ${harmless(replica.notVoting ?? 'it does not say why')}`,
      });
    }
    if (was.voting === false && replica.voting === true) changes.push({ kind: 'replica', text: `${name} votes again` });
  }
  const [stable, wasStable] = [stableOf(now), stableOf(before)];
  if (stable > wasStable) changes.push({ kind: 'checkpoint', text: `the checkpoint at ${String(stable)} is stable` });
  return changes;
}

/** The stable checkpoint that f+1 replicas at least have. */
function stableOf({ replicas, f }: Status): number {
  const claims = replicas.map(({ stableCheckpoint }) => stableCheckpoint ?? 0);
  return trusted(claims, f) ?? 0;
}
