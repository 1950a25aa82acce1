import { parentPort } from 'node:worker_threads';
import type { Task } from './jobs.js';
import { simulate, type Outcome } from './simulate.js';

/** A thread of `simulateMany`: runs the seeds that it is handed, one after the other. */
parentPort?.on('message', ({ first, count, options }: Task) => {
  void run(first, count, options).then((outcomes) => parentPort?.postMessage(outcomes));
});

async function run(first: number, count: number, options: Task['options']): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  for (let seed = first; seed < first + count; seed++) outcomes.push(await simulate(seed, options));
  return outcomes;
}
