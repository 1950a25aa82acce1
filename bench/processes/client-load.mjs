import { performance } from 'node:perf_hooks';
import { Meter } from '../measure/meter.mjs';
import { openLoop } from '../measure/open-loop.mjs';
import { operations } from '../measure/operations.mjs';

const AFTER_FAILURE_MS = 1;

/**
 * What drives a client of the bus, as `rounds.mjs` asks for it (`answering.mjs`).
 *
 * @param {Pick<import('../../dist/client/bus-client.js').BusClient, 'submit'>} client
 */
export function clientLoad(client) {
  const meter = new Meter();
  let isStopping = false;
  let onStop = () => undefined;
  let workers = Promise.resolve();

  async function send(operation, startedAt) {
    try {
      await client.submit(operation);
      meter.answered(startedAt);
      return true;
    } catch (error) {
      meter.failed(error.code ?? error.message);
      return false;
    }
  }

  /** Sends its next request when the last one is answered. */
  async function closedLoop(next) {
    while (!isStopping) {
      if (!(await send(next(), performance.now())))
        await new Promise((resolve) => setTimeout(resolve, AFTER_FAILURE_MS));
    }
  }

  /** Sends at a rate, whatever is answered. */
  async function openLoopAt(perSecond, next) {
    const underWay = new Set();
    const stop = openLoop(perSecond, (dueAt) => {
      const sent = send(next(), dueAt).then(() => underWay.delete(sent));
      underWay.add(sent);
    });
    await new Promise((resolve) => (onStop = resolve));
    stop();
    await Promise.all(underWay);
  }

  return {
    /** Keeps so many requests outstanding until `halt`; or sends so many a second. */
    start({ outstanding, operationBytes, keys, ratePerSecond }) {
      isStopping = false;
      const next = operations({ operationBytes, keys });
      if (ratePerSecond === undefined) {
        workers = Promise.all(Array.from({ length: outstanding }, () => closedLoop(next)));
      } else workers = openLoopAt(ratePerSecond, next);
    },
    /** One operation, as it is. */
    submit: (operation) => client.submit(operation),
    mark: () => meter.mark(),
    take: () => meter.take(),
    async halt() {
      isStopping = true;
      onStop();
      await workers;
    },
  };
}
