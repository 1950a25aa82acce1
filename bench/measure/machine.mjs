import { availableParallelism, cpus, release, totalmem } from 'node:os';

/** What figures of this machine must be read with. */
export function describeMachine() {
  return {
    cores: availableParallelism(),
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform} ${release()}`,
    node: process.versions.node,
  };
}

/** The same for people; `redis` and `etcd` are versions, where they were used. */
export function machineText({ cores, processor, memoryGiB, system, node, redis, etcd }) {
  const programs = [`Node.js ${node}`, ...(redis ? [`Redis ${redis}`] : []), ...(etcd ? [`etcd ${etcd}`] : [])];
  return `${cores} × ${processor}, ${memoryGiB} GiB, ${system}; ${programs.join(', ')}`;
}
