#!/usr/bin/env node
import { existsSync } from 'node:fs';

const main = new URL('../dist/cli/main.js', import.meta.url);
if (existsSync(main)) {
  await (await import(main.href)).main();
} else {
  process.stderr.write(
    'quorate: it is not built yet: type `npm run build`, or `npm start`, which builds it and starts a cluster\n',
  );
  process.exitCode = 1;
}
