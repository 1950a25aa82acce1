import { expect, it } from '@jest/globals';
import { runCli } from '../../../src/cli/main.js';

async function cli(...args: string[]): Promise<{ code: number; text: string }> {
  let text = '';
  const output = { write: (part: string) => (text += part) };
  const code = await runCli(['bench', ...args], {
    ...{ environment: {}, stdout: output, stderr: output, hasColors: false, exitCode: 0 },
    interrupted: () => new AbortController().signal,
    ...{ terminals: { stdout: false, stderr: false }, unread: new AbortController().signal },
    readStdin: async () => '',
  });
  return { code, text };
}

it('explains itself', async () => {
  const { code, text } = await cli('--help');
  expect(code).toBe(0);
  expect(text).toContain('quorate bench --quick');
});

it.each([
  [['--runs', '0'], '--runs is "0"; it should be a whole number above 0'],
  [['--runs', '1.5'], '--runs is "1.5"'],
  [['--seconds', 'soon'], '--seconds is "soon"; it should be a number above 0'],
  [['--warmup', '-1'], '--warmup'],
  [['--outstanding', '1e9'], '--outstanding is "1e9"'],
  [['--appendfsync', 'sometimes'], 'sometimes'],
  [['--set', 'BATCH_SIZE'], '--set is "BATCH_SIZE"; it should be NAME=VALUE'],
  [['--set', 'NO_SUCH_SETTING=1'], 'with the name of a setting'],
  [['--set', 'BATCH_SIZE=many'], 'invalid-setting: BATCH_SIZE is "many"'],
  [['--no-such-flag'], 'no-such-flag'],
])('refuses %j, and says why', async (args, why) => {
  const { code, text } = await cli(...args);
  expect(code).toBe(2);
  expect(text).toContain(why);
});
