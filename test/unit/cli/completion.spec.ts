import { describe, expect, it } from '@jest/globals';
import { runCommand } from '../../../src/cluster/run-command.js';
import { cli } from './support.js';

async function scriptFor(shell: string): Promise<string> {
  const { code, out, err } = await cli(['completion', shell]);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  return out;
}

/** What bash would offer for the last of these words. */
async function offered(...words: readonly string[]): Promise<readonly string[]> {
  const script = `${await scriptFor('bash')}
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_quorate
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { code, stdout, stderr } = await runCommand('bash', ['-c', script, 'bash', ...words], { timeoutMs: 30_000 });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout.split('\n').filter((line) => line !== '');
}

describe('completion in bash, run by bash', () => {
  it('offers the commands', async () => {
    expect(await offered('quorate', '')).toEqual(
      expect.arrayContaining(['up', 'submit', 'watch', 'completion', '--help']),
    );
    expect(await offered('quorate', 'st')).toEqual(['status']);
  });

  it("offers a command's own flags, and none that are hidden", async () => {
    expect(await offered('quorate', 'submit', '--')).toEqual(
      expect.arrayContaining(['--key', '--json', '--url', '--help']),
    );
    expect(await offered('quorate', 'submit', '--j')).toEqual(['--json']);
    expect(await offered('quorate', 'replica', '--att')).toEqual([]);
  });

  it('offers the values of flags and arguments that have choices', async () => {
    expect(await offered('quorate', 'bench', '--appendfsync', 'e')).toEqual(['everysec']);
    expect(await offered('quorate', 'completion', '')).toEqual(expect.arrayContaining(['bash', 'zsh', 'fish']));
    expect(await offered('quorate', 'health', 'g')).toEqual(['gateway']);
  });

  it('leaves the place of a file to the shell, and offers nothing where only the user knows', async () => {
    expect(await offered('quorate', 'verify', '--membership', '')).toEqual([]);
    expect(await offered('quorate', 'up', '--replicas', '')).toEqual([]);
  });
});

describe('completion in the other shells', () => {
  it.each(['zsh', 'fish'])('names every command and flag in %s', async (shell) => {
    const script = await scriptFor(shell);
    for (const word of ['submit', 'watch', 'state-machine', 'everysec', 'idempotency key'])
      expect(script).toContain(word);
    expect(script).not.toContain('attached');
  });

  it('knows no other shell', async () => {
    expect((await cli(['completion', 'tcsh'])).code).toBe(2);
  });
});
