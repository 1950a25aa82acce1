import type { ScriptedCluster } from '../../src/simulator/scripted-cluster.js';
import { decodeFrame, splitPacket, type Frame } from '../../src/wire/frame.js';
import {
  decodeFetchState,
  decodeStateAnswer,
  type StateAnswer,
  type StateQuestion,
} from '../../src/wire/state-transfer.js';

/** Has the trace say what is asked and answered in a state transfer, instead of how many bytes that is. */
export function spellOut(cluster: ScriptedCluster): void {
  const { network, parts } = cluster.cluster;
  const { onPublished } = network;
  network.onPublished = (from, channel, payload) => {
    let line = cluster.trace.length;
    onPublished(from, channel, payload);
    const frames = splitPacket(payload);
    if (typeof frames === 'string') return;
    for (const bytes of frames) {
      const frame = decodeFrame(bytes, parts.founders.membership.digest);
      const text = typeof frame === 'string' ? undefined : spelled(frame);
      if (text !== undefined) cluster.trace[line] = cluster.trace[line]?.replace(/\d+ bytes/, text) ?? '';
      line++;
    }
  };
}

function spelled({ kind, body, attachment }: Frame): string | undefined {
  if (kind === 'state-chunk') return answered(decodeStateAnswer(attachment));
  if (kind !== 'fetch-state') return undefined;
  const { target, sequence, question } = decodeFetchState(body);
  return `of checkpoint ${sequence}, to replica-${target + 1}: ${asked(question)}`;
}

const count = (things: readonly unknown[], name: string): string =>
  `${things.length} ${name}${things.length === 1 ? '' : 's'}`;

function asked(question: StateQuestion): string {
  switch (question.ask) {
    case 'head':
      return 'what is its digest made of?';
    case 'nodes':
      return `which hashes lie below ${count(question.nodes, 'node')} of part ${question.part}?`;
    case 'buckets':
      return `what is in ${count(question.from, 'bucket')} of part ${question.part}?`;
  }
}

function answered(answer: StateAnswer): string {
  switch (answer.ask) {
    case 'gone':
      return 'it is gone';
    case 'head':
      return `the roots of ${count(answer.roots, 'part')}`;
    case 'nodes':
      return `the hashes below ${count(answer.below, 'node')}`;
    case 'buckets':
      return `${count(answer.pages, 'bucket')} with ${count(
        answer.pages.flatMap(({ items }) => items),
        'item',
      )}`;
  }
}
