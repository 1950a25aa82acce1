import type { ClusterStatus, ReplicaStatus } from './cluster-client.js';
import { trusted } from './trusted.js';

/** What happened in the cluster besides the requests that it has agreed on. */
export type ClusterNews =
  | { readonly event: 'view-change'; readonly data: { readonly view: number; readonly primary: string } }
  | { readonly event: 'checkpoint'; readonly data: { readonly sequence: number } }
  | {
      readonly event: 'replica';
      readonly data: Pick<ReplicaStatus, 'replica' | 'connected' | 'voting' | 'notVoting'>;
    };

/** How far the cluster is, as a correct replica is at least. */
export function reachedBy({ replicas, f }: ClusterStatus, of: (replica: ReplicaStatus) => number | null): number {
  return (
    trusted(
      replicas.map((replica) => of(replica) ?? 0),
      f,
    ) ?? 0
  );
}

/** What is new in `now`. */
export function newsBetween(before: ClusterStatus, now: ClusterStatus): ClusterNews[] {
  const news: ClusterNews[] = [];
  if (now.view !== before.view) news.push({ event: 'view-change', data: { view: now.view, primary: now.primary } });
  const stable = reachedBy(now, ({ stableCheckpoint }) => stableCheckpoint);
  if (stable > reachedBy(before, ({ stableCheckpoint }) => stableCheckpoint)) {
    news.push({ event: 'checkpoint', data: { sequence: stable } });
  }
  for (const [index, { replica, connected, voting, notVoting }] of now.replicas.entries()) {
    const known = before.replicas[index];
    const isSame = known?.connected === connected && known.voting === voting && known.notVoting === notVoting;
    if (!isSame) news.push({ event: 'replica', data: { replica, connected, voting, notVoting } });
  }
  return news;
}
