import { poll } from '../../src/cluster/poll.js';

/** Far more than anything here takes, on a machine that is busy with other things. */
const patienceMs = 25_000;

/**
 * Polls until the condition holds.
 * @throws with `what` when it does not within `deadlineMs`
 */
export async function eventually(
  what: string,
  condition: () => boolean | Promise<boolean>,
  deadlineMs = patienceMs,
): Promise<void> {
  const held = await poll(deadlineMs, async () => ((await condition()) ? true : undefined));
  if (held !== true) throw new Error(`not within ${deadlineMs} ms: ${what}`);
}

/** Lets every promise that can settle now do so. */
export function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
