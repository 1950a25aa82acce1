import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The script of a command that an installed package brings. */
export function tool(packageName, command = packageName) {
  const folder = join('node_modules', packageName);
  const { bin } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  return join(folder, typeof bin === 'string' ? bin : bin[command]);
}
