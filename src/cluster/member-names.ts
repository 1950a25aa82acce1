import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { namePattern } from '../crypto/genesis.js';
import { DEFAULTS, DEFINITIONS } from '../config/setting-definitions.js';
import { invalidSetting, type Settings } from '../config/settings.js';

/**
 * Who the replicas of a local cluster are: those that are asked for, else those of the cluster that DATA_DIR holds
 * already, else replica-1 to replica-n.
 * @throws {QuorateError} `invalid-setting` for names that cannot be, and for a number that the cluster was not founded with
 */
export async function memberNames(
  settings: Settings,
  asked: readonly string[] | undefined,
): Promise<readonly string[]> {
  if (asked !== undefined) return checked(asked);
  const founded = await foundedNames(settings);
  if (founded === undefined) {
    return Array.from({ length: settings.replicas }, (_, index) => `replica-${String(index + 1)}`);
  }
  const n = String(founded.length);
  if (settings.replicas !== founded.length && String(settings.replicas) !== DEFAULTS.REPLICAS) {
    const where = `the cluster in ${settings.dataDir} was founded with ${n}; another DATA_DIR or CLUSTER begins a new one`;
    throw invalidSetting('REPLICAS', String(settings.replicas), `${n}: ${where}`);
  }
  return founded;
}

function checked(names: readonly string[]): readonly string[] {
  const wrong = names.find((name, index) => !namePattern.test(name) || names.indexOf(name) !== index);
  if (wrong !== undefined) {
    throw invalidSetting('REPLICA_ID', wrong, `${DEFINITIONS.REPLICA_ID.expected}, and one replica's alone`);
  }
  const count = String(names.length);
  if (!DEFINITIONS.REPLICAS.schema.safeParse(count).success) {
    throw invalidSetting('REPLICAS', count, DEFINITIONS.REPLICAS.expected);
  }
  return names;
}

const membershipSchema = z.object({
  cluster: z.string(),
  replicas: z.array(z.object({ id: z.string().regex(namePattern) })).min(1),
});

/** @returns the replicas named by the membership that a gateway has left in the data folder, if it is this cluster's */
async function foundedNames({ dataDir, cluster }: Settings): Promise<readonly string[] | undefined> {
  const text = await readFile(join(dataDir, 'membership.json'), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const parsed = membershipSchema.safeParse(jsonOrNothing(text));
  if (!parsed.success || parsed.data.cluster !== cluster) return undefined;
  return parsed.data.replicas.map(({ id }) => id);
}

function jsonOrNothing(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
