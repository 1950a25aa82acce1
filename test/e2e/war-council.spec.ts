import { rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { freePort } from '../../src/cluster/ports.js';
import { poll } from '../../src/cluster/poll.js';
import { eventually } from '../support/cluster-waiting.js';
import { descendantsOf, livingAmong, plainEnvironment, Program } from '../support/processes.js';
import { Api, type Answer, type Outcome, signersOf, temporaryFolder, testTimeoutMs } from './support.js';

jest.setTimeout(testTimeoutMs);

const countries = ['Apple', 'MS', 'Google', 'IBM'];

describe('the war council', () => {
  let folder: string;
  let council: Program;
  let apis: readonly Api[];

  /** A port that is free, and so are the three after it. */
  const freePorts = async (): Promise<number> => {
    const first = await poll(10_000, async () => {
      const port = await freePort();
      const others = await Promise.allSettled([1, 2, 3].map(async (more) => await freePort(port + more)));
      return others.every(({ status }) => status === 'fulfilled') ? port : undefined;
    });
    if (first === undefined) throw new Error('there are no four free ports in a row');
    return first;
  };

  const request = async (api: Api, warTime: string): Promise<Answer<Outcome>> =>
    await api.ask(`/req?warTime=${warTime}`);

  const start = (firstPort: number, gatewayPort: number): Program => {
    const flags = { 'first-port': firstPort, 'gateway-port': gatewayPort, 'data-dir': folder };
    const args = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
    return new Program(process.execPath, ['dist/examples/war-council/main.js', ...args], plainEnvironment());
  };

  beforeAll(async () => {
    folder = await temporaryFolder();
    const first = await freePorts();
    apis = countries.map((_, index) => new Api(`http://127.0.0.1:${first + index}`));
    council = start(first, await freePort());
    await council.says(/Ctrl-C stops everything\./);
  });

  afterAll(async () => {
    const pids = council.isRunning ? await descendantsOf(council.pid) : [];
    await council.end();
    for (const pid of await livingAmong(pids)) process.kill(pid, 'SIGKILL');
    await rm(folder, { recursive: true, force: true });
  });

  it('prints what to ask each country', () => {
    for (const [index, api] of apis.entries()) {
      expect(council.output).toMatch(new RegExp(`^${countries[index]!} +curl '${api.url}/req\\?warTime=8888'$`, 'm'));
    }
  });

  it('answers on the port of each country, with a receipt', async () => {
    for (const [index, api] of apis.entries()) {
      const { status, body } = await request(api, String(8888 + index));
      expect({ status, ...body }).toMatchObject({
        status: 200,
        country: countries[index],
        result: { ok: true, warTime: 8888 + index, round: index + 1 },
      });
      expect(signersOf(body).size).toBeGreaterThanOrEqual(2);
    }
  });

  it.each(['', 'soon', '-1', '88888', '8.5', '8888%20OR%201'])(
    'does not discuss a war time of "%s"',
    async (warTime) => {
      const { status, body } = await request(apis[0]!, warTime);
      expect({ status, ...body }).toMatchObject({ status: 400, country: 'Apple' });
      expect(body['error']).toContain('such as 8888');
    },
  );

  it('says what to ask for', async () => {
    expect((await apis[0]!.ask('/')).status).toBe(404);
  });

  it('answers on every port while IBM is down', async () => {
    const [, pid = ''] = await council.says(/IBM: (\d+)/);
    process.kill(Number(pid), 'SIGKILL');
    await council.says(/IBM ended: SIGKILL\. 3 of 4 are left/);
    for (const api of apis) {
      const { status, body } = await request(api, '9999');
      expect({ status, ...body }).toMatchObject({ status: 200, result: { ok: true, warTime: 9999 } });
      expect(signersOf(body)).not.toContain('IBM');
    }
  });

  it('ends with all its processes on Ctrl-C', async () => {
    const pids = [...(await descendantsOf(council.pid)), council.pid];
    council.signalGroup('SIGINT');
    expect(await council.ended).toEqual({ code: 0, signal: null });
    await eventually('every process has ended', async () => (await livingAmong(pids)).length === 0);
  });

  it('starts nothing when a port is taken', async () => {
    const other = createServer();
    await once(other.listen(0, '127.0.0.1'), 'listening');
    const { port } = other.address() as AddressInfo;
    const second = start(port - 1, await freePort());
    try {
      expect((await second.ended).code).toBe(1);
      expect(second.output).toContain(`address already in use 127.0.0.1:${port}`);
      expect(second.output).not.toContain('Redis');
    } finally {
      await second.end();
      other.close();
    }
  });
});
