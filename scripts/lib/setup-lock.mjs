import { createHash } from 'node:crypto';
import { linkSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ROOT } from './root.mjs';

/** Not in the clone: `npm ci` and the build empty the folders that are not in git. */
const FILE = join(tmpdir(), `quorate-setup-${createHash('sha256').update(ROOT).digest('hex').slice(0, 16)}`);
const POLL_MS = 200;
const AGE_MAX_MS = 15 * 60_000;

/** Runs `work` while no other `npm start` or `npm test` of this clone installs or builds: two at once would ruin both. */
export async function withSetupLock(work) {
  for (let hasSaid = false; !tryLock(); hasSaid = true) {
    if (!hasSaid) process.stdout.write('Another npm start or npm test installs or builds here: waiting for it …\n');
    await sleep(POLL_MS);
  }
  const unlock = () => rmSync(FILE, { force: true });
  process.once('exit', unlock);
  try {
    return await work();
  } finally {
    process.off('exit', unlock);
    unlock();
  }
}

function tryLock() {
  const aside = `${FILE}.${process.pid}`;
  writeFileSync(aside, String(process.pid));
  try {
    linkSync(aside, FILE); // at once whole, or not at all
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    if (isStale()) rmSync(FILE, { force: true });
    return false;
  } finally {
    rmSync(aside, { force: true });
  }
}

function holder() {
  return Number(readFileSync(FILE, 'utf8'));
}

/** Its process was killed; or its process id has gone to somebody else, who would hold it for ever. */
function isStale() {
  try {
    if (Date.now() - statSync(FILE).mtimeMs > AGE_MAX_MS) return true;
    process.kill(holder(), 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH';
  }
}
