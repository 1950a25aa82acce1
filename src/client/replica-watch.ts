import type { Membership } from '../crypto/membership.js';
import type { Status } from '../wire/service.js';
import type { ClusterStatus, ReplicaStatus } from './cluster-client.js';
import { trusted } from './trusted.js';
import { primaryOf } from '../pbft/quorum.js';
import { view } from '../pbft/types.js';

/** A replica that was not heard for so long counts as not connected, milliseconds: three of its statuses. */
const silenceMaxMs = 1_750;
/** On a machine that is short of CPU they come more rarely: then three of those, but never more than this, milliseconds. */
const slowSilenceMaxMs = 10_000;

/** When a replica was heard last, and how long it took to be heard again the last two times. */
interface Heard {
  readonly at: number;
  readonly status: Status;
  readonly gaps: readonly number[];
}

/** What the replicas last said of themselves. */
export class ReplicaWatch {
  private readonly heard = new Map<number, Heard>();

  constructor(private readonly membership: Membership) {}

  onStatus(replica: number, status: Status, at: number): void {
    const last = this.heard.get(replica);
    const gaps = last === undefined ? [] : [at - last.at, ...last.gaps.slice(0, 1)];
    this.heard.set(replica, { at, status, gaps });
  }

  /** The replicas that were heard since `since`, milliseconds since 1970. */
  heardSince(since: number): number[] {
    return [...this.heard].filter(([, { at }]) => at >= since).map(([replica]) => replica);
  }

  connected(now: number): number[] {
    return [...this.heard].filter(([, heard]) => now - heard.at <= patienceWith(heard)).map(([replica]) => replica);
  }

  /** A sequence number that the cluster has reached. */
  reached(): number {
    return this.trusted(({ lastExecuted }) => lastExecuted);
  }

  status(now: number): ClusterStatus {
    const { n, f, q, genesis, epoch, replicas } = this.membership;
    const current = view(this.trusted((status) => status.view));
    const connected = new Set(this.connected(now));
    return {
      cluster: genesis.cluster,
      epoch,
      view: current,
      primary: replicas[primaryOf(current, n)]?.name ?? '',
      n,
      f,
      quorum: q,
      replicas: replicas.map(({ name }, index) => describe(name, connected.has(index), this.heard.get(index)?.status)),
    };
  }

  private trusted(of: (status: Status) => number): number {
    const claims = [...this.heard.values()].map(({ status }) => of(status));
    return trusted(claims, this.membership.f) ?? 0;
  }
}

/** The shorter of two gaps: a replica that was away once is not slow for that. */
function patienceWith({ gaps }: Heard): number {
  if (gaps.length < 2) return silenceMaxMs;
  return Math.max(silenceMaxMs, Math.min(slowSilenceMaxMs, 3 * Math.min(...gaps)));
}

function describe(replica: string, connected: boolean, status: Status | undefined): ReplicaStatus {
  return {
    replica,
    connected,
    view: status?.view ?? null,
    lastExecuted: status?.lastExecuted ?? null,
    stableCheckpoint: status?.stableCheckpoint ?? null,
    stateDigest: status?.stateDigest ?? null,
    voting: status === undefined ? null : connected && status.notVoting === '',
    notVoting: connected && status !== undefined && status.notVoting !== '' ? status.notVoting : null,
    refused: Object.fromEntries(status?.refused ?? []),
  };
}
