import { afterEach, describe, expect, it } from '@jest/globals';
import { Observer } from '../../../src/cli/observer.js';
import { Progress } from '../../../src/cli/progress.js';
import type { Context } from '../../../src/cli/context.js';
import type { Status } from '../../../src/cli/status-view.js';
import { exampleStatus } from '../../support/fake-cluster-client.js';
import { answering, cli } from './support.js';

type Replica = Status['replicas'][number];

/** A healthy cluster, but for what is said of the replicas in turn. */
function status(more: Partial<Status> = {}, ...replicas: readonly Partial<Replica>[]): Status {
  const healthy = exampleStatus();
  return {
    ...healthy,
    ...more,
    replicas: healthy.replicas.map((replica, index) => ({ ...replica, lastExecuted: 42, ...replicas[index] })),
  };
}

let gateway: Awaited<ReturnType<typeof answering>> | undefined;

afterEach(async () => {
  await gateway?.close();
  gateway = undefined;
});

async function watch(answers: readonly unknown[], flags: readonly string[] = [], more: Partial<Context> = {}) {
  gateway = await answering(...answers);
  return await cli(
    ['watch', '--interval', '0.1', '--count', String(answers.length), '--url', gateway.url, ...flags],
    more,
  );
}

describe('the observer', () => {
  const kindsOf = (before: Status, now: Status): readonly string[] => {
    const observer = new Observer();
    expect(observer.see(before, 0).events).toEqual([]);
    return observer.see(now, 1000).events.map(({ kind, text }) => `${kind}: ${text}`);
  };

  it('sees nothing where nothing changed', () => {
    expect(kindsOf(status(), status())).toEqual([]);
  });

  it.each<[string, Status, Status]>([
    ['view-change: view 1: replica-2 is primary', status(), status({ view: 1, primary: 'replica-2' })],
    ['replica: replica-1 is not heard of any more', status(), status({}, { connected: false })],
    ['replica: replica-1 is back', status({}, { connected: false }), status()],
    [
      'replica: replica-1 does not vote: its log?[2J',
      status(),
      status({}, { voting: false, notVoting: 'its log\u001b[2J' }),
    ],
    ['replica: replica-1 votes again', status({}, { voting: false }), status({}, { voting: true })],
    [
      'checkpoint: the checkpoint at 128 is stable',
      status(),
      status({}, { stableCheckpoint: 128 }, { stableCheckpoint: 128 }),
    ],
  ])('sees "%s"', (event, before, now) => {
    expect(kindsOf(before, now)).toEqual([event]);
  });

  it('believes what f+1 replicas say they have executed, not what one says', () => {
    const observer = new Observer();
    observer.see(status(), 0);
    const liar = { lastExecuted: 1_000_000 };
    expect(observer.see(status({}, liar), 2000)).toMatchObject({ executed: 42, batchesPerSecond: 0 });
    const [, two, three] = [liar, { lastExecuted: 52 }, { lastExecuted: 52 }];
    expect(observer.see(status({}, liar, two, three), 4000)).toMatchObject({ executed: 52, batchesPerSecond: 5 });
  });

  it('says once that the gateway is away, and once that it is back', () => {
    const observer = new Observer();
    observer.see(status(), 0);
    const counts = [
      observer.miss('gone', 1),
      observer.miss('gone', 2),
      observer.see(status(), 3),
      observer.see(status(), 4),
    ];
    expect(counts.map(({ events }) => events.length)).toEqual([1, 0, 1, 0]);
  });
});

describe('quorate watch', () => {
  it('writes a line for each look into a pipe, and one for each event', async () => {
    const { code, out } = await watch([status(), status({ view: 1, primary: 'replica-2' })]);
    expect(code).toBe(0);
    expect(out.split('\n').map((line) => line.replace(/^\S+Z /, ''))).toEqual([
      'view 0 primary replica-1 voting 4/4 executed 42, - batches/s',
      'view-change: view 1: replica-2 is primary',
      'view 1 primary replica-2 voting 4/4 executed 42, 0.0 batches/s',
      '',
    ]);
  });

  it('writes a line of JSON for each look', async () => {
    const { out } = await watch([status(), status()], ['--json']);
    const looks = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as object);
    expect(looks).toHaveLength(2);
    expect(looks[1]).toMatchObject({ executed: 42, batchesPerSecond: 0, status: { primary: 'replica-1' }, events: [] });
  });

  it('draws the picture anew on a terminal, and goes on while the gateway is away', async () => {
    const { code, out } = await watch([status(), undefined, status()], [], {
      terminals: { stdout: true, stderr: false },
    });
    expect(code).toBe(0);
    expect(out.split('\u001b[H')).toHaveLength(4);
    expect(out).toContain('this was before');
    expect(out).toContain('the gateway answers again');
  });

  it('ends when nobody reads it any more', async () => {
    const reader = new AbortController();
    const write = (): void => {
      reader.abort();
    };
    gateway = await answering(status());
    const { code } = await cli(['watch', '--url', gateway.url], { stdout: { write }, unread: reader.signal });
    expect(code).toBe(0);
  });

  it('does not wait for a gateway that never answered', async () => {
    const { code, err } = await cli(['watch', '--url', 'http://127.0.0.1:1']);
    expect([code, err]).toEqual([1, expect.stringContaining('no gateway answers')]);
  });

  it.each([
    ['--interval', '0'],
    ['--interval', '3601'],
    ['--interval', 'soon'],
    ['--count', '0'],
  ])('refuses %s %s', async (...flags) => {
    expect((await cli(['watch', ...flags])).code).toBe(2);
  });
});

describe('progress', () => {
  const written = (stderr: boolean): string => {
    let text = '';
    const context = { terminals: { stdout: false, stderr }, stderr: { write: (more: string) => (text += more) } };
    const progress = new Progress(context as Context, 'seeds', 10);
    progress.show(5);
    progress.clear();
    return text;
  };

  it('is shown on a terminal, and taken away again', () => {
    expect(written(true)).toMatch(/5 of 10 seeds \(50 %\), \d+ s left\r.\[K$/);
  });

  it('is kept from what is no terminal', () => {
    expect(written(false)).toBe('');
  });
});

describe('help', () => {
  it.each([
    'up',
    'replica',
    'gateway',
    'submit',
    'get',
    'status',
    'watch',
    'verify',
    'health',
    'simulate',
    'bench',
    'completion',
    'init',
  ])('has examples for %s', async (command) => {
    const { code, out } = await cli([command, '--help']);
    expect(code).toBe(0);
    expect(out).toMatch(new RegExp(`Examples?:\\n +\\$ .*quorate ${command}`));
  });
});
