import { connect } from '../processes/redis.mjs';
import { openBusClient } from '../processes/bus-client.mjs';
import { Meter } from '../measure/meter.mjs';
import { clientsOf } from './clients.mjs';
import { sampler } from './samples.mjs';

const NAME = 'soak';
const DEADLINE_MS = 120_000;

/**
 * Sends many requests through a cluster that runs, straight over the bus, and samples what they leave behind.
 *
 * @param {import('../../dist/cluster/local-cluster.js').LocalCluster} cluster
 * @param {{ clusterName: string, requests: number, inFlight: number, keys: number, valueBytes: number, samples: number }} options
 * @param {(line: string) => void} report
 * @returns {Promise<{ samples: object[], clients: object, wrong: string[] }>} what `conclusionOf` takes
 */
export async function soak(cluster, { clusterName, samples: sampleCount, ...load }, report) {
  const { dataDir, redisUrl } = cluster;
  const identity = { redisUrl, dataDir, clusterName, name: NAME };
  const { client, close } = await openBusClient({ ...identity, inFlightMax: load.inFlight, deadlineMs: DEADLINE_MS });
  const redis = connect(redisUrl);
  const meter = new Meter();
  try {
    const clients = clientsOf(client, meter, load);
    const sample = sampler({ redis, cluster, client, clients, meter, report });
    const samples = await clients.run(load.requests / sampleCount, sample);
    return { samples, clients, wrong: await clients.check() };
  } finally {
    await close();
    redis.disconnect();
  }
}
