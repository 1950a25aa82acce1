// Load over keep-alive HTTP. Started by bench/processes/rest.mjs.
import { performance } from 'node:perf_hooks';
import { Meter } from '../measure/meter.mjs';
import { openLoop } from '../measure/open-loop.mjs';
import { KEYS, operations } from '../measure/operations.mjs';
import { answer } from '../processes/answering.mjs';
import { HttpConnection, postOf } from '../processes/http-connection.mjs';

const RECONNECT_MS = 20;
const { url } = JSON.parse(process.argv[2]);
const target = new URL(url);
const meter = new Meter();
const connections = new Set();
let stopLoop = () => undefined;
/** Loops that wait to send again, ended by `halt`: the next load would have more connections than it is asked for. */
const waiting = new Set();
let isStopping = false;
let underWay = 0;
let onIdle = () => undefined;

/** The requests that go round, made beforehand. */
function postsOf(operationBytes) {
  const operation = operations({ operationBytes });
  const posts = Array.from({ length: KEYS }, () => postOf(url, JSON.stringify({ operation: operation() })));
  let sent = 0;
  return () => posts[sent++ % KEYS];
}

function send(connection, request, startedAt, onAnswer) {
  underWay++;
  connection.send(request, (reply) => {
    count(reply, startedAt);
    underWay--;
    onAnswer(reply);
    if (underWay === 0) onIdle();
  });
}

function count({ status, hasRetryAfter }, startedAt) {
  if (status === 200 || status === 201) meter.answered(startedAt);
  else if (status === 429) meter.failed(hasRetryAfter ? 'refused' : '429-without-retry-after');
  else meter.failed(status === 0 ? 'broken' : String(status));
}

/** The connection, or a new one in its place: a server may close what lies idle. */
function opened(last) {
  if (last?.isOpen === true) return last;
  connections.delete(last);
  const connection = new HttpConnection(target);
  connections.add(connection);
  return connection;
}

/** Sends its next request when the last one is answered. */
function closedLoop(next, last) {
  if (isStopping) return;
  const connection = opened(last);
  send(connection, next(), performance.now(), ({ status }) => {
    if (status === 200 || status === 201) {
      closedLoop(next, connection);
      return;
    }
    const timer = setTimeout(() => {
      waiting.delete(timer);
      closedLoop(next, connection);
    }, RECONNECT_MS);
    waiting.add(timer);
  });
}

/** Sends at a rate over whichever connection is free, or one more of at most so many. What finds none is counted as not offered. */
function openLoopAt(perSecond, next, connectionsMax) {
  const free = [];
  stopLoop = openLoop(perSecond, (dueAt) => {
    const last = free.pop();
    if (last === undefined && connections.size >= connectionsMax) {
      meter.failed('not-offered');
      return;
    }
    const connection = opened(last);
    send(connection, next(), dueAt, () => free.push(connection));
  });
}

answer({
  start({ outstanding, operationBytes, ratePerSecond }) {
    isStopping = false;
    const next = postsOf(operationBytes);
    connections.clear();
    if (ratePerSecond !== undefined) openLoopAt(ratePerSecond, next, outstanding);
    else for (let index = 0; index < outstanding; index++) closedLoop(next);
  },
  mark: () => meter.mark(),
  take: () => meter.take(),
  async halt() {
    isStopping = true;
    stopLoop();
    stopLoop = () => undefined;
    if (underWay > 0) await new Promise((resolve) => (onIdle = resolve));
    for (const timer of waiting) clearTimeout(timer);
    waiting.clear();
    for (const connection of connections) connection.close();
  },
});
