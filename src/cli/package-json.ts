import { readFileSync } from 'node:fs';
import { z } from 'zod';

const schema = z.object({
  version: z.string(),
  engines: z.object({ node: z.string() }),
  dependencies: z.record(z.string(), z.string()),
});

/** What Quorate's own package.json says. */
export function ownPackage(): z.infer<typeof schema> {
  return schema.parse(JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')));
}
