// Load on etcd: puts, over gRPC. Started by bench/processes/etcd.mjs.
import { performance } from 'node:perf_hooks';
import { Meter } from '../measure/meter.mjs';
import { keyAt } from '../measure/operations.mjs';
import { answer } from '../processes/answering.mjs';
import { GrpcConnection } from '../processes/grpc-connection.mjs';

const PATH = '/etcdserverpb.KV/Put';
const CONNECTIONS_MAX = 8;
const KEYS = 1000;
const KEY_FIELD = 0x0a;
const VALUE_FIELD = 0x12;

const { host, port } = JSON.parse(process.argv[2]);
const meter = new Meter();
let connections = [];
let isStopping = false;
let workers = Promise.resolve();

function varint(value) {
  const bytes = [];
  let left = value;
  for (; left > 127; left >>= 7) bytes.push((left & 127) | 128);
  return Buffer.from([...bytes, left]);
}

/** The requests that go round, made beforehand. */
function putsOf(operationBytes) {
  return Array.from({ length: KEYS }, (_, index) => {
    const key = Buffer.from(keyAt(index));
    const value = Buffer.alloc(Math.max(operationBytes - key.length, 0), 'x');
    const field = (tag, bytes) => Buffer.concat([Buffer.from([tag]), varint(bytes.length), bytes]);
    return Buffer.concat([field(KEY_FIELD, key), field(VALUE_FIELD, value)]);
  });
}

answer({
  start({ outstanding, operationBytes }) {
    isStopping = false;
    const puts = putsOf(operationBytes);
    let sent = 0;
    const count = Math.min(outstanding, CONNECTIONS_MAX);
    connections = Array.from({ length: count }, () => new GrpcConnection({ host, port, path: PATH }));
    const worker = async (connection) => {
      while (!isStopping) {
        const startedAt = performance.now();
        if (await connection.call(puts[sent++ % KEYS])) meter.answered(startedAt);
        else {
          meter.failed('no-answer');
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
      }
    };
    workers = Promise.all(Array.from({ length: outstanding }, (_, index) => worker(connections[index % count])));
  },
  mark: () => meter.mark(),
  take: () => meter.take(),
  async halt() {
    isStopping = true;
    await workers;
    for (const connection of connections) connection.close();
  },
});
