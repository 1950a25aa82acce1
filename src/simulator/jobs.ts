import { Worker } from 'node:worker_threads';
import type { SimulationOptions } from './profile.js';
import { simulate, type Outcome } from './simulate.js';

/** Seeds that a worker is handed at once. */
const portion = 20;

/** What a worker is told, and what it answers. */
export interface Task {
  readonly first: number;
  readonly count: number;
  readonly options: SimulationOptions;
}

/**
 * Runs `count` seeds from `first` on, in so many threads, and gives their outcomes in the seeds' order, whoever was done
 * first.
 */
export async function simulateMany(
  first: number,
  count: number,
  options: SimulationOptions,
  jobs: number,
  onProgress: (done: number) => void = () => undefined,
): Promise<readonly Outcome[]> {
  if (jobs <= 1) {
    const outcomes: Outcome[] = [];
    for (let seed = first; seed < first + count; seed++) {
      outcomes.push(await simulate(seed, options));
      onProgress(outcomes.length);
    }
    return outcomes;
  }
  const tasks: Task[] = [];
  for (let at = 0; at < count; at += portion)
    tasks.push({ first: first + at, count: Math.min(portion, count - at), options });
  const bySeed = new Map<number, Outcome>();
  const workers = Array.from({ length: Math.min(jobs, tasks.length) }, () =>
    serve(tasks, (outcomes) => {
      for (const outcome of outcomes) bySeed.set(outcome.seed, outcome);
      onProgress(bySeed.size);
    }),
  );
  await Promise.all(workers);
  return Array.from({ length: count }, (_, index) => bySeed.get(first + index)).filter(
    (outcome) => outcome !== undefined,
  );
}

/** One thread, until there is nothing left to do. */
function serve(tasks: Task[], onOutcomes: (outcomes: readonly Outcome[]) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./worker.js', import.meta.url));
    const next = (): void => {
      const task = tasks.shift();
      if (task === undefined) void worker.terminate().then(() => resolve());
      else worker.postMessage(task);
    };
    worker.on('message', (outcomes: readonly Outcome[]) => {
      onOutcomes(outcomes);
      next();
    });
    worker.on('error', reject);
    next();
  });
}
