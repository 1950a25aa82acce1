import { expect } from '@jest/globals';
import type { RequestBundle } from '../../src/pbft/messages.js';
import type { CoreCluster } from './core-cluster.js';
import { ask, batch, bundle, commit, prepare, prePrepare, request } from './core-messages.js';
import type { Random } from './seeds.js';

/** Some bundles of several clients, through two gateways; no request twice. */
function bundles(count: number, random: Random): RequestBundle[] {
  const timestamps = new Map<string, number>();
  return Array.from({ length: count }, () => {
    const client = `client-${random.below(4)}`;
    const requests = Array.from({ length: 1 + random.below(3) }, () => {
      const timestamp = (timestamps.get(client) ?? 0) + 1;
      timestamps.set(client, timestamp);
      return request(client, timestamp);
    });
    return bundle(requests, { gateway: `gateway-${random.below(2)}` });
  });
}

/**
 * Requests come in while messages are under way and time passes, `haste` of it for each request. In the end gateways have
 * sent again what was lost, and every correct replica must have executed every request once, all of them in one order.
 */
export function busyDay(cluster: CoreCluster, random: Random, haste = 0.3): void {
  const submitted = bundles(12, random);
  for (const one of submitted) {
    cluster.submit(one);
    for (let count = random.below(40); count > 0 && cluster.pendingCount > 0; count--) cluster.deliverOne();
    while (random.chance(haste)) cluster.tick();
  }
  cluster.settle(submitted);
  const due = submitted.flatMap(({ requests }) => requests.map(({ client, timestamp }) => `${client}#${timestamp}`));
  const [first] = cluster.all;
  for (const { application, core } of cluster.all) {
    expect([...application.history].sort()).toEqual([...due].sort());
    expect(application.state).toBe(first?.application.state);
    expect(core.lastExecuted).toBe(cluster.height);
  }
}

/**
 * What replicas say that are not correct, the primary of view 0 among them, to each correct one something else: two
 * batches for one sequence number, and votes for both.
 */
export function equivocate(cluster: CoreCluster, liars: readonly number[], random: Random): void {
  for (const place of [1, 2]) {
    const choices = ['a', 'b'].map((client) => prePrepare(place, batch([ask(client, place)])));
    for (const to of cluster.replicas.keys()) {
      const told = random.chance(0.8) ? [random.pick(choices)] : random.shuffled(choices);
      for (const about of told) cluster.send(to, about);
      for (const about of random.chance(0.8) ? told : choices) {
        for (const liar of liars) {
          if (liar !== about.replica) cluster.send(to, prepare(liar, about));
          cluster.send(to, commit(liar, about));
        }
      }
    }
  }
}
