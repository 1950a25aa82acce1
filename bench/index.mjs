import { mkdirSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { describeMachine } from './measure/machine.mjs';
import { CleanUp } from './processes/cleanup.mjs';
import { PROFILES_VARIABLE } from './processes/profiling.mjs';
import { fullWorkloads, quickWorkloads, workloads } from './workloads/index.mjs';

export { curveSvg } from './report/curve-svg.mjs';
export { textOf } from './report/text.mjs';

/** A quick run begins nothing more after this time, so that it ends within three minutes on a busy machine, too. */
const QUICK_BUDGET_MS = 140_000;
const EXIT_INTERRUPTED = { SIGINT: 130, SIGTERM: 143 };

/**
 * Runs workloads one after the other. Whatever it starts has ended when it returns, throws or is interrupted.
 *
 * @param {object} options
 * @param {string[]} options.only names of workloads; empty: those of a full or of a quick run
 * @param {boolean} options.quick
 * @param {number} options.runs of each figure
 * @param {number} options.warmupMs
 * @param {number} options.durationMs of each run
 * @param {number} options.outstanding what saturates the engine
 * @param {'always' | 'everysec' | 'no'} options.appendfsync
 * @param {Record<string, string>} options.settings of the replicas and gateways
 * @param {string} options.cacheDir where an unpacked Redis is
 * @param {string | undefined} options.cpuProf folder for profiles
 * @param {(line: string) => void} report hears what goes on
 */
export async function bench(options, report) {
  const byDefault = options.quick ? quickWorkloads : fullWorkloads;
  const chosen = options.only.length === 0 ? byDefault : workloads.filter(({ name }) => options.only.includes(name));
  if (options.cpuProf !== undefined) {
    mkdirSync(options.cpuProf, { recursive: true });
    process.env[PROFILES_VARIABLE] = options.cpuProf; // every process that is started here reads it
  }
  const cleanUp = new CleanUp();
  const signals = endOnSignals(cleanUp);
  const sections = [];
  const startedAt = performance.now();
  const machine = describeMachine();
  try {
    for (const { name, title, run } of chosen) {
      if (options.quick && options.only.length === 0 && performance.now() - startedAt > QUICK_BUDGET_MS) {
        sections.push({ name, title, skipped: 'no time left for it in a quick run: ask for it with --only' });
        continue;
      }
      report(`${title} …`);
      try {
        const result = await cleanUp.within((inner) => run({ name, options, cleanUp: inner, report, machine }));
        sections.push({ name, title, ...result });
      } catch (error) {
        if (signals.areCaught) await new Promise(() => undefined); // the handler ends this process
        // What was measured before is worth keeping.
        report(`  failed: ${error.message}`);
        sections.push({ name, title, error: error.message });
      }
    }
  } finally {
    await cleanUp.run();
    signals.release();
  }
  const ratios = Object.assign({}, ...sections.map((section) => section.ratios ?? {}));
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  return { machine, settings: describeSettings(options), seconds, sections, ratios };
}

/** The names that `only` may hold. */
export const workloadNames = workloads.map(({ name }) => name);

function endOnSignals(cleanUp) {
  const kill = () => cleanUp.kill();
  process.once('exit', kill);
  let areCaught = false;
  const handlers = Object.entries(EXIT_INTERRUPTED).map(([signal, code]) => {
    const handler = () => {
      areCaught = true;
      // Whoever waits for what ends now must not go on; the second signal finds the default, which ends us at once.
      void cleanUp.run().finally(() => process.exit(code));
    };
    process.once(signal, handler);
    return [signal, handler];
  });
  return {
    get areCaught() {
      return areCaught;
    },
    release() {
      process.off('exit', kill);
      for (const [signal, handler] of handlers) process.off(signal, handler);
    },
  };
}

function describeSettings({ runs, warmupMs, durationMs, outstanding, appendfsync, settings, quick }) {
  return { runs, warmupMs, durationMs, outstanding, appendfsync, quick, ...settings };
}
