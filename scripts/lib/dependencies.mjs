import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { run } from './processes.mjs';
import { progress } from './progress.mjs';

const LOCK = 'package-lock.json';
/** What npm itself writes last, when an installation is complete. */
const INSTALLED = 'node_modules/.package-lock.json';
/** Which lock file the installed packages are those of. */
const STAMP = 'node_modules/.quorate-installed';

/**
 * Runs `npm ci` unless what is installed is what the lock file says. Throws with npm's own words when that fails, and
 * when what is installed lies elsewhere.
 */
export async function installDependencies() {
  const wanted = createHash('sha256')
    .update(readFileSync(LOCK))
    .update(`${process.platform} ${process.arch}`)
    .digest('hex');
  if (isInstalled(wanted)) return;
  if (lstatSync('node_modules', { throwIfNoEntry: false })?.isSymbolicLink() === true) {
    throw new Error(
      'node_modules is a symbolic link: npm ci would empty the folder that it points to. Remove the link first.',
    );
  }
  const shown = progress('Installing dependencies (npm ci)');
  rmSync(STAMP, { force: true });
  const [command, ...args] = npm(
    'ci',
    '--include=dev',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
    '--progress=false',
  );
  const { code, output } = await run(command, args, { quiet: true });
  if (code !== 0) {
    shown.failed();
    throw new Error(`npm ci failed:\n${output.trim()}`);
  }
  shown.done();
  writeFileSync(STAMP, wanted);
}

function isInstalled(wanted) {
  if (!existsSync(INSTALLED)) return false;
  if (existsSync(STAMP)) return readFileSync(STAMP, 'utf8') === wanted;
  // Somebody ran npm by hand: newer than the lock file is good enough.
  if (statSync(INSTALLED).mtimeMs < statSync(LOCK).mtimeMs) return false;
  writeFileSync(STAMP, wanted);
  return true;
}

/** The npm that runs us, else the one on PATH. */
function npm(...args) {
  const own = process.env.npm_execpath;
  if (own !== undefined && /npm-cli\.c?js$/.test(own)) return [process.execPath, own, ...args];
  return [process.platform === 'win32' ? 'npm.cmd' : 'npm', ...args];
}
