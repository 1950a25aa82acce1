import { describe, expect, it } from '@jest/globals';
import { AccessRules } from '../../../src/access/access-rules.js';
import { cli } from './support.js';

interface Made {
  readonly key: string;
  readonly client: { readonly name: string };
}

const now = Date.now();

async function made(...args: readonly string[]): Promise<Made> {
  const { code, out } = await cli(['key', 'create', ...args, '--json']);
  expect(code).toBe(0);
  return JSON.parse(out) as Made;
}

describe('quorate key create', () => {
  it('makes a key, and the entry that lets it in: with its rights, and without the key', async () => {
    const { key, client } = await made('--name', 'billing', '--operations', 'get, put', '--key-prefix', 'billing/');
    const file = JSON.stringify({ clients: [client] });
    expect(file).not.toContain(key);
    const rights = [{ operations: ['get', 'put'], keyPrefix: 'billing/' }];
    expect(new AccessRules(file).ofKey(key, now)).toMatchObject({ name: 'billing', rights });
  });

  it('allows everything when nothing else is said', async () => {
    const { key, client } = await made('--name', 'billing');
    const rules = new AccessRules(JSON.stringify({ clients: [client] }));
    expect(rules.ofKey(key, now)?.rights).toEqual([{ operations: ['*'] }]);
  });

  it('makes another one each time', async () => {
    const keys = [await made('--name', 'a'), await made('--name', 'a')].map(({ key }) => key);
    expect(new Set(keys).size).toBe(2);
  });

  it('shows people the key on a line of its own, and the entry below', async () => {
    const { out } = await cli(['key', 'create', '--name', 'billing']);
    const [key = '', ...rest] = out.split('\n');
    const entry = rest.join('\n');
    const client: unknown = JSON.parse(entry.slice(entry.indexOf('{\n')));
    const rules = new AccessRules(JSON.stringify({ clients: [client] }));
    expect(rules.ofKey(key, now)?.name).toBe('billing');
  });

  it.each([
    [[]],
    [['--name', '']],
    [['--name', 'two words']],
    [['--name', '*']],
    [['--name', 'operator']],
    [['--name', 'x'.repeat(65)]],
    [['--name', 'a', '--operations', 'get,,put']],
  ])('refuses %j, and makes none', async (args) => {
    const { code, out, err } = await cli(['key', 'create', ...args]);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(/--name|--operations/);
  });
});
