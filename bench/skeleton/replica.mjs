// One replica of the skeleton: PBFT's messages and nothing of its meaning. See README.md in this folder.
import { answer } from '../processes/answering.mjs';
import { channels, Link, quorumsOf } from './link.mjs';

const { redisUrl, replicas, self, writesHashes } = JSON.parse(process.argv[2]);
const { f, q } = quorumsOf(replicas);
const isPrimary = self === 0;
const link = new Link(redisUrl, self);
const slots = new Map();
let lastProposed = 0;
let nextToExecute = 1;

function slotOf(sequence) {
  let slot = slots.get(sequence);
  if (slot === undefined) {
    slot = { batch: undefined, prepares: 0, commits: 0, isPrepared: false };
    slots.set(sequence, slot);
  }
  return slot;
}

function keep(sequence, field, text) {
  if (writesHashes) link.write(sequence, field, text);
}

function send(kind, sequence) {
  const text = JSON.stringify({ kind, view: 0, sequence, replica: self });
  keep(sequence, `${kind}:${self}`, text);
  link.publish(channels.from(self), text);
}

function propose(batch) {
  const sequence = ++lastProposed;
  slotOf(sequence).batch = batch;
  const text = JSON.stringify({ kind: 'pre-prepare', view: 0, sequence, replica: self, batch });
  keep(sequence, 'pre-prepare', text);
  link.publish(channels.from(self), text);
}

function onMessage(message, text) {
  const { kind, sequence, replica } = message;
  if (sequence < nextToExecute) return;
  const slot = slotOf(sequence);
  if (kind === 'pre-prepare') {
    keep(sequence, kind, text);
    slot.batch = message.batch;
    slot.prepares++;
    send('prepare', sequence);
  } else {
    keep(sequence, `${kind}:${replica}`, text);
    if (kind === 'prepare') slot.prepares++;
    else slot.commits++;
  }
  advance(sequence, slot);
}

function advance(sequence, slot) {
  if (!slot.isPrepared && slot.batch !== undefined && slot.prepares >= 2 * f) {
    slot.isPrepared = true;
    slot.commits++;
    send('commit', sequence);
  }
  for (let next = slots.get(nextToExecute); next?.isPrepared && next.commits >= q; next = slots.get(nextToExecute)) {
    const ids = next.batch.map(([id]) => id);
    link.publish(channels.reply, JSON.stringify({ sequence: nextToExecute, replica: self, ids }));
    slots.delete(nextToExecute);
    if (writesHashes) link.executed(nextToExecute);
    nextToExecute++;
  }
}

answer({
  async open() {
    const others = Array.from({ length: replicas }, (_, index) => index).filter((index) => index !== self);
    const names = [...others.map(channels.from), ...(isPrimary ? [channels.request] : [])];
    await link.listen(names, (channel, text) => {
      const message = JSON.parse(text);
      if (channel === channels.request) propose(message);
      else onMessage(message, text);
    });
  },
});
