// node scripts/bootstrap.mjs start [arguments of `quorate up`]
// node scripts/bootstrap.mjs test [stages]
//
// What `npm start` and `npm test` run. It works in a clone in which nothing was installed, so it imports nothing but Node.js.
// This file is kept in old syntax: an old Node.js must get as far as the message that it is too old.
import { readFileSync } from 'node:fs';

const engines = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).engines.node;

/** Whether a version satisfies a range such as `^20.19.0 || >=24.0.0`: all that this package's own range needs. */
function satisfies(version, range) {
  const actual = version.split('.').map(Number);
  return range.split('||').some(function (part) {
    const match = /^\s*(\^|>=)(\d+)\.(\d+)\.(\d+)\s*$/.exec(part);
    if (match === null) return false;
    const wanted = match.slice(2).map(Number);
    if (match[1] === '^' && actual[0] !== wanted[0]) return false;
    const differing = [0, 1, 2].find((index) => actual[index] !== wanted[index]);
    return differing === undefined || actual[differing] > wanted[differing];
  });
}

if (satisfies(process.versions.node, engines)) {
  import('./lib/main.mjs').then((module) => module.main(process.argv.slice(2)));
} else {
  process.stderr.write(
    'Quorate needs Node.js ' + engines + ', and this is ' + process.versions.node + '. Get one at https://nodejs.org\n',
  );
  process.exitCode = 2;
}
