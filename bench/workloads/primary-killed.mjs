import { setTimeout as sleep } from 'node:timers/promises';
import { inTurn } from '../measure/rounds.mjs';
import { figureOf } from '../measure/statistics.mjs';
import { startEngine } from '../processes/engine.mjs';
import { OPERATION_BYTES, shorterMethodOf, startOurRedis } from './floor.mjs';

const OUTSTANDING = 64;
/** The primary dies so long after counting began, and answers come again well before the end. */
const KILL_AFTER_MS = 500;
const DURATION_MS = 6_000;

export const primaryKilled = {
  name: 'primary-killed',
  title: 'The primary killed in the middle',
  async run(context) {
    const { options, cleanUp } = context;
    const method = { ...shorterMethodOf(context), durationMs: DURATION_MS, profiles: undefined };
    const rows = [];
    // A cluster for each run: one that has lost a replica is another one.
    for (let run = 1; run <= method.runs; run++) {
      const result = await cleanUp.within(async (inner) => {
        const redis = await startOurRedis({ ...context, cleanUp: inner });
        const engine = await startEngine(inner, { redis, settings: options.settings });
        const during = async () => {
          await sleep(KILL_AFTER_MS);
          await engine.cluster.kill(await engine.primary());
        };
        const spec = { outstanding: OUTSTANDING, operationBytes: OPERATION_BYTES };
        const contender = { name: 'killed', label: `engine, ${OUTSTANDING} outstanding`, load: engine, spec };
        return inTurn([{ ...contender, during, gaps: true, backups: 2 }], { ...method, runs: 1 });
      });
      rows.push(result.killed);
    }
    const { label, spec, failed } = rows[0];
    const merged = Object.fromEntries(
      ['perSecond', 'longestGapMs'].map((name) => [name, figureOf(rows.flatMap((row) => row[name].runs))]),
    );
    return { rows: [{ label, spec, ...merged, failed }] };
  },
};
