import { fields } from '../../replica/log-entries.js';
import { encodePhaseBody } from '../../wire/phase.js';
import type { Hashes } from '../simulated-redis.js';
import type { Action, Traitor } from './plot.js';
import { falseTimeMs, proposal } from './proposals.js';
import { newViewOnAny } from './view-lies.js';

/** How far below the highest place, and above it, something is planted. */
const reach = { below: 4, above: 2 };

/**
 * What it has signed and told nobody stands in the logs of others, as if they had heard and written it: a NEW-VIEW that it kept to
 * itself, a proposal beside what that orders, its COMMIT. Whoever runs Redis put it there (rule 30).
 */
function plant(traitor: Traitor): void {
  const { random, plot, index, n, sealer } = traitor;
  const { viewChanges, highestView, highestPlace } = plot.knowledge;
  const asked = [...viewChanges.keys()].filter((view) => view % n === index && view <= highestView + 1);
  const wanted = random.chance(0.5) && asked.length > 0 ? Math.max(...asked) : undefined;
  const newView = wanted === undefined ? undefined : newViewOnAny(traitor, wanted);
  const view = newView === undefined ? highestView - ((highestView - index + n) % n) : (wanted ?? 0);
  if (view < 0) return;
  const place = random.between(Math.max(1, highestPlace - reach.below), highestPlace + reach.above);
  const offMs = random.chance(0.3) ? falseTimeMs : 0;
  const { header, bytes } = proposal(traitor, view, place, plot.bundlesFor('fresh'), offMs);
  const count = plot.plant((hashes) => {
    if (newView !== undefined) write(hashes, 'replica', fields.newView, newView);
    write(hashes, place, fields.prePrepare(view), bytes);
  });
  if (count === 0) return;
  traitor.did('planted-log');
  plot.knowledge.note(bytes);
  // It stands by what it has planted.
  const commit = sealer.seal('commit', encodePhaseBody(header));
  plot.parts.time.after(random.between(1, 200), () => {
    traitor.tell('commit', commit);
  });
}

function write(hashes: Hashes, place: number | 'replica', field: string, bytes: Buffer): void {
  hashes.set(place, (hashes.get(place) ?? new Map<string, Buffer>()).set(field, bytes));
}

export const planting: readonly Action[] = [{ kind: 'planted-log', act: plant }];
