// Load over keep-alive HTTP. Started by bench/processes/rest.mjs.
import { performance } from 'node:perf_hooks';
import { Meter } from '../measure/meter.mjs';
import { openLoop } from '../measure/open-loop.mjs';
import { operations } from '../measure/operations.mjs';
import { answer } from '../processes/answering.mjs';
import { HttpConnection } from '../processes/http-connection.mjs';

const RECONNECT_MS = 20;
const { url } = JSON.parse(process.argv[2]);
const target = new URL(url);
const meter = new Meter();
let connections = [];
let stopLoop = () => undefined;
let isStopping = false;
let under = [];

function reopened(connection) {
  return connection.isOpen ? connection : new HttpConnection(target);
}

function count({ status, hasRetryAfter }, startedAt) {
  if (status === 200 || status === 201) meter.answered(startedAt);
  else if (status === 429) meter.failed(hasRetryAfter ? 'refused' : '429-without-retry-after');
  else meter.failed(status === 0 ? 'broken' : String(status));
}

/** Each connection sends its next request when the last one is answered. */
async function closedLoop(index, next) {
  while (!isStopping) {
    connections[index] = reopened(connections[index]);
    const startedAt = performance.now();
    const reply = await connections[index].post(next());
    count(reply, startedAt);
    if (reply.status !== 200 && reply.status !== 201) await new Promise((resolve) => setTimeout(resolve, RECONNECT_MS));
  }
}

/** Sends at a rate over whichever connection is free. What finds none is counted as not offered. */
function openLoopAt(perSecond, next) {
  const free = [...connections];
  stopLoop = openLoop(perSecond, (dueAt) => {
    const last = free.pop();
    if (last === undefined) {
      meter.failed('not-offered');
      return;
    }
    const connection = reopened(last); // a server may close what lies idle
    const reply = connection.post(next()).then((settled) => {
      count(settled, dueAt);
      free.push(reopened(connection));
    });
    under.push(reply);
    if (under.length > 2 * connections.length) under = under.slice(-connections.length);
  });
}

answer({
  start({ outstanding, operationBytes, ratePerSecond }) {
    isStopping = false;
    const operation = operations({ operationBytes });
    const next = () => JSON.stringify({ operation: operation() });
    connections = Array.from({ length: outstanding }, () => new HttpConnection(target));
    if (ratePerSecond === undefined) under = connections.map((_, index) => closedLoop(index, next));
    else openLoopAt(ratePerSecond, next);
  },
  mark: () => meter.mark(),
  take: () => meter.take(),
  async halt() {
    isStopping = true;
    stopLoop();
    stopLoop = () => undefined;
    await Promise.all(under);
    under = [];
    for (const connection of connections) connection.close();
  },
});
