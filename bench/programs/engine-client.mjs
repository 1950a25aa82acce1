// A client of the cluster straight over the bus: what a gateway is without HTTP. Started by bench/processes/engine.mjs.
import { performance } from 'node:perf_hooks';
import { Meter } from '../measure/meter.mjs';
import { operations } from '../measure/operations.mjs';
import { answer } from '../processes/answering.mjs';
import { openBusClient } from '../processes/bus-client.mjs';

const options = JSON.parse(process.argv[2]);
const meter = new Meter();
let opened;
let isStopping = false;
let workers = Promise.resolve();

async function work(next) {
  while (!isStopping) {
    const startedAt = performance.now();
    try {
      await opened.client.submit(next());
      meter.answered(startedAt);
    } catch (error) {
      meter.failed(error.code ?? error.message);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
}

answer({
  async open() {
    opened = await openBusClient(options);
    // Founded does not mean ready: the first answer does.
    await opened.client.submit({ op: 'get', key: 'ready' });
    return { members: opened.membership.replicas.map(({ name }) => name) };
  },
  status: () => opened.client.status(),
  /** Keeps so many requests outstanding until `halt`. */
  start({ outstanding, operationBytes, keys }) {
    isStopping = false;
    const next = operations({ operationBytes, keys });
    workers = Promise.all(Array.from({ length: outstanding }, () => work(next)));
  },
  mark: () => meter.mark(),
  take: () => meter.take(),
  async halt() {
    isStopping = true;
    await workers;
  },
});
