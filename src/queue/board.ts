import type { IncomingMessage, ServerResponse } from 'node:http';
import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { ExpressAdapter } from '@bull-board/express';
import type { Queue } from 'bullmq';

/** The page of the queues: to be mounted at `path`, behind the operator's key. */
export function queueBoard(
  path: string,
  queues: readonly Queue[],
): (request: IncomingMessage, response: ServerResponse) => void {
  const adapter = new ExpressAdapter();
  adapter.setBasePath(path);
  createBullBoard({
    // New jobs cannot be added there: they would lack the mark of a gateway, and not be executed.
    queues: queues.map((queue) => new BullMQAdapter(queue, { allowRetries: true })),
    serverAdapter: adapter,
    options: { uiConfig: { boardTitle: 'Quorate' } },
  });
  return adapter.getRouter() as (request: IncomingMessage, response: ServerResponse) => void;
}
