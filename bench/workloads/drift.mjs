import { startEngine } from '../processes/engine.mjs';
import { conclusionOf } from '../soak/report.mjs';
import { soak } from '../soak/run.mjs';
import { startOurRedis } from './floor.mjs';

const REQUESTS = 1_000_000;
const REQUESTS_QUICK = 10_000;
const LOAD = { inFlight: 512, keys: 1_000, valueBytes: 64, samples: 40, clusterName: 'quorate' };

/** `npm run soak` within the bench: for other numbers use that. */
export const drift = {
  name: 'drift',
  title: 'What many requests leave behind',
  async run(context) {
    const { options, cleanUp, report } = context;
    const redis = await startOurRedis(context);
    const { cluster } = await startEngine(cleanUp, { redis, settings: options.settings });
    const requests = options.quick ? REQUESTS_QUICK : REQUESTS;
    const found = await soak(cluster, { ...LOAD, requests }, (line) => report(`  ${line}`));
    const { isGood, lines } = conclusionOf(found);
    return { notes: lines, isFlat: isGood };
  },
};
