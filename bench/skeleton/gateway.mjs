// The gateway of the skeleton: sends batches, and takes f+1 replies for an answer. See README.md in this folder.
import { performance } from 'node:perf_hooks';
import { Meter } from '../measure/meter.mjs';
import { answer } from '../processes/answering.mjs';
import { channels, Link, quorumsOf } from './link.mjs';

const { redisUrl, replicas } = JSON.parse(process.argv[2]);
const { f } = quorumsOf(replicas);
const link = new Link(redisUrl, 'gateway');
const meter = new Meter();
const sentAt = new Map();
const votes = new Map();
let lastId = 0;
let load;
let onDrained;

function send() {
  const batch = Array.from({ length: load.batch }, () => [++lastId, load.operation]);
  sentAt.set(batch[0][0], performance.now());
  link.publish(channels.request, JSON.stringify(batch));
}

function onReply(_channel, text) {
  const { sequence, ids } = JSON.parse(text);
  const count = (votes.get(sequence) ?? 0) + 1;
  if (count === replicas) votes.delete(sequence);
  else votes.set(sequence, count);
  if (count !== f + 1) return;
  meter.answered(sentAt.get(ids[0]), ids.length);
  sentAt.delete(ids[0]);
  if (load !== undefined) send();
  else if (sentAt.size === 0) onDrained?.();
}

answer({
  open: () => link.listen([channels.reply], onReply),
  /** Keeps `window` batches of `batch` operations outstanding until `halt`. */
  start({ batch, window, operationBytes }) {
    load = { batch, operation: 'o'.repeat(operationBytes) };
    for (let count = 0; count < window; count++) send();
  },
  mark: () => meter.mark(),
  take: () => meter.take(),
  async halt() {
    load = undefined;
    if (sentAt.size > 0) await new Promise((resolve) => (onDrained = resolve));
  },
});
