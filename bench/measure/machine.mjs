import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';

/** What figures of this machine must be read with. */
export function describeMachine() {
  return {
    cores: availableParallelism(),
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform} ${release()}`,
    node: process.versions.node,
    /** Before we began: what else ran here. */
    loadAverage: Number(loadavg()[0].toFixed(2)),
  };
}

/** The same for people; `redis` and `etcd` are versions, where they were used. */
export function machineText({ cores, processor, memoryGiB, system, node, loadAverage, redis, etcd }) {
  const programs = [`Node.js ${node}`, ...(redis ? [`Redis ${redis}`] : []), ...(etcd ? [`etcd ${etcd}`] : [])];
  return `${cores} × ${processor}, ${memoryGiB} GiB, ${system}; ${programs.join(', ')}; load average before: ${loadAverage}`;
}
