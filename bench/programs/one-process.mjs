// Four replicas and their client in one process. Started by bench/workloads/one-process.mjs.
import { answer } from '../processes/answering.mjs';
import { clientLoad } from '../processes/client-load.mjs';
import { startMemoryCluster } from '../processes/memory-cluster.mjs';

const client = await startMemoryCluster();
answer({ ...clientLoad(client), open: () => client.submit({ op: 'get', key: 'ready' }) });
