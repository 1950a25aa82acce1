import type { ReplicaMessage } from '../../src/pbft/messages.js';

/** A message in a line, for the report of a run that failed. */
export function summary(message: ReplicaMessage): string {
  switch (message.kind) {
    case 'checkpoint':
      return `checkpoint ${message.sequence}`;
    case 'view-change': {
      const prepared = message.prepared.map(({ prePrepare }) => `${prePrepare.sequence} in ${prePrepare.view}`);
      return `view-change to ${message.view} from ${message.stable.sequence}: [${prepared.join(', ')}]`;
    }
    case 'new-view': {
      const order = message.prePrepares.map(({ sequence, digest }) => `${sequence}: ${digest}`);
      return `new-view ${message.view}: [${order.join(', ')}]`;
    }
    default:
      return `${message.kind} ${message.view}/${message.sequence} ${message.digest}`;
  }
}
