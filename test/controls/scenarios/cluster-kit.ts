import { ScriptedCluster, type ScriptOptions } from '../../../src/simulator/scripted-cluster.js';

/** How scenarios of whole clusters begin and end. */

export const increment = { op: 'increment', key: 'key', by: 1 };

/** Ends a scenario: everybody is heard, everything is executed everywhere, and no checker has seen anything. */
export async function end(cluster: ScriptedCluster): Promise<void> {
  await cluster.submit(increment);
  await cluster.until('all have executed the same', () => {
    const reached = cluster.cluster.correct.map(({ life }) => life?.node.host.replica.lastExecuted);
    return isFaulty(cluster) || new Set(reached).size === 1;
  });
  await cluster.runFor(1_500); // statuses tell the state's digest
  const { violation } = cluster;
  if (violation !== undefined) throw new Error(`${violation.checker}: ${violation.what}`);
}

export const isFaulty = (cluster: ScriptedCluster): boolean => cluster.violation !== undefined;

export async function start(options: ScriptOptions = {}): Promise<ScriptedCluster> {
  return await ScriptedCluster.start({ checkpointInterval: 4, logSize: 8, ...options });
}
