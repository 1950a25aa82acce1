import { performance } from 'node:perf_hooks';

/**
 * So many clients, each of which sends its next request when the last one is answered: every other request increments a
 * counter, the others write a value.
 */
export function clientsOf(client, meter, { requests, inFlight, keys, valueBytes }) {
  let sent = 0;
  const counters = new Map();
  const value = 'x'.repeat(valueBytes);
  const state = {
    acknowledged: 0,
    /** Given up at their deadline: nobody knows whether they were executed. */
    unanswered: 0,

    /** Sends everything, and hands out the samples: one after each `every` requests. */
    async run(every, sample) {
      const samples = [await sample()];
      let due = every;
      let sampling = Promise.resolve();
      const worker = async () => {
        while (sent < requests) {
          await state.send(sent++);
          if (state.acknowledged < due) continue;
          due += every;
          sampling = sampling.then(async () => samples.push(await sample()));
        }
      };
      await Promise.all(Array.from({ length: inFlight }, worker));
      await sampling;
      return samples;
    },

    async send(index) {
      const key = `key-${index % keys}`;
      const isCounter = index % 2 === 0;
      const startedAt = performance.now();
      try {
        await client.submit(isCounter ? { op: 'increment', key: `n-${key}` } : { op: 'put', key, value });
        state.acknowledged++;
        meter.answered(startedAt);
        if (isCounter) counters.set(`n-${key}`, (counters.get(`n-${key}`) ?? 0) + 1);
      } catch (error) {
        if (error.code !== 'no-quorum' && error.code !== 'bus-unavailable') throw error;
        state.unanswered++;
      }
    },

    /** Counters that do not hold what was acknowledged. */
    async check() {
      const wrong = [];
      let excess = 0;
      for (const [key, acknowledged] of counters) {
        const { result } = await client.submit({ op: 'get', key });
        excess += result.value - acknowledged;
        if (result.value < acknowledged) wrong.push(`${key}: ${acknowledged} acknowledged, ${result.value} executed`);
      }
      if (excess > state.unanswered) wrong.push(`${excess} executed twice, or more`);
      return wrong;
    },
  };
  return state;
}
