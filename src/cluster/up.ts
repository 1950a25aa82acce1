import { relative } from 'node:path';
import type { Settings } from '../config/settings.js';
import { describeEnding, type Ending } from './child.js';
import { LocalCluster, PROGRAM } from './local-cluster.js';
import { tailOf } from './log-file.js';
import { memberNames } from './member-names.js';
import { Restarts } from './restarts.js';
import { quote } from './shell.js';
import { endedMessage, readyMessage } from './up-messages.js';

export interface UpOptions {
  readonly settings: Settings;
  /** The replicas' names, instead of those that the cluster has or would get. */
  readonly names?: readonly string[] | undefined;
  /** Path of a module with a state machine. */
  readonly stateMachine?: string | undefined;
  /** Start again what ended by itself. */
  readonly restart: boolean;
  readonly report: (text: string) => void;
}

/** npm passes on what the terminal has sent already: so soon after the first it is the same Ctrl-C. */
const SAME_CTRL_C_MS = 1_000;
const PROBE_TIMEOUT_MS = 2_000;
/** Different notices that are printed. */
const NOTICES_MAX = 100;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Runs a whole cluster until a signal comes; a second one kills at once. A replica that ends stays ended, so that one can
 * watch what happens, unless `restart` is set; Redis is always started again.
 * @returns how it all ended
 * @throws {QuorateError} as `LocalCluster.start` does, and `invalid-setting` for names
 */
export async function up(options: UpOptions): Promise<'stopped' | 'killed'> {
  const names = await memberNames(options.settings, options.names);
  return await new Up(options, names).run();
}

class Up {
  private readonly cluster: LocalCluster;
  private readonly restarts = new Restarts();
  private readonly timers = new Set<NodeJS.Timeout>();
  private readonly noticed = new Set<string>();
  private stoppingSince: number | undefined;
  private finish: (how: 'stopped' | 'killed') => void = () => undefined;
  private readonly finished = new Promise<'stopped' | 'killed'>((settle) => {
    this.finish = settle;
  });

  constructor(
    private readonly options: UpOptions,
    names: readonly string[],
  ) {
    const { settings, report, stateMachine } = options;
    // A cluster on one machine is there to try a machine out: better it is caught here than by its peers' digests.
    const checkDeterminism = settings.checkDeterminism ?? stateMachine !== undefined;
    this.cluster = new LocalCluster({
      settings: { ...settings, checkDeterminism },
      names,
      report,
      ...(stateMachine === undefined ? {} : { stateMachine }),
      onEnded: (name, ending) => void this.onEnded(name, ending),
      onNotice: (text) => {
        this.onNotice(text);
      },
    });
  }

  async run(): Promise<'stopped' | 'killed'> {
    const onSignal = (): void => {
      this.onSignal();
    };
    for (const signal of SIGNALS) process.on(signal, onSignal);
    try {
      await Promise.race([this.start(), this.finished]);
      return await this.finished;
    } finally {
      for (const signal of SIGNALS) process.off(signal, onSignal);
    }
  }

  private async start(): Promise<void> {
    const { report } = this.options;
    try {
      report(
        `Cluster: ${String(this.cluster.replicaNames.length)} replicas and a gateway, data in ${this.cluster.dataDir}`,
      );
      await this.cluster.start();
      report(readyMessage(await this.facts()));
    } catch (error) {
      if (this.stoppingSince === undefined) throw error;
      // A signal came first: what else went wrong after that is no news.
    }
  }

  private async facts(): Promise<Parameters<typeof readyMessage>[0]> {
    const { cluster } = this;
    const url = cluster.gatewayUrl();
    return {
      url,
      hasDashboard: await answers(`${url}/`),
      replicas: cluster.replicaNames.map((name) => ({ name, pid: cluster.pid(name) })),
      redisCli: cluster.redis?.redisCli,
      cluster: this.options.settings.cluster,
      dataDir: relative(process.cwd(), cluster.dataDir) || '.',
      isKeyValue: this.options.stateMachine === undefined,
      program: `node ${quote(relative(process.cwd(), PROGRAM))}`,
      startAgain: cluster.commandFor(cluster.replicaNames.at(-1) ?? ''),
    };
  }

  private onSignal(): void {
    const { report } = this.options;
    if (this.stoppingSince === undefined) {
      this.stoppingSince = performance.now();
      report('\nStopping every process (once more to kill them) …');
      for (const timer of this.timers) clearTimeout(timer);
      void this.cluster.stop().finally(() => {
        this.finish('stopped');
      });
    } else if (performance.now() - this.stoppingSince > SAME_CTRL_C_MS) {
      report('Killing them.');
      this.cluster.killAll();
      this.finish('killed');
    }
  }

  /** All replicas have the same to say. */
  private onNotice(text: string): void {
    if (this.noticed.has(text) || this.noticed.size >= NOTICES_MAX) return;
    this.noticed.add(text);
    this.options.report(`\n${text}`);
  }

  private async onEnded(name: string, ending: Ending): Promise<void> {
    const { cluster, options } = this;
    if (this.stoppingSince !== undefined) return;
    const role = cluster.roleOf(name);
    const isRestarted = role === 'redis' || options.restart;
    const restartMs = isRestarted ? this.restarts.delayFor(name, cluster.livedMs(name)) : undefined;
    const logFile = cluster.logFile(name);
    options.report(
      endedMessage({
        ...{ name, role, logFile, restartMs },
        ending: describeEnding(ending),
        // Who was killed said nothing about it.
        lastLines: ending.signal === 'SIGKILL' ? '' : await tailOf(logFile),
        replicas: cluster.replicaNames.length,
        replicasRunning: cluster.replicaNames.filter((replica) => cluster.pid(replica) !== undefined).length,
        startAgain: role === 'redis' ? undefined : cluster.commandFor(name),
      }),
    );
    if (restartMs !== undefined) this.startLater(name, restartMs);
  }

  private startLater(name: string, delayMs: number): void {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      void this.startAgain(name);
    }, delayMs);
    this.timers.add(timer);
  }

  private async startAgain(name: string): Promise<void> {
    try {
      if (this.cluster.roleOf(name) === 'redis') await this.cluster.restartRedis();
      else this.cluster.startMember(name);
      this.options.report(`${name} is started again (pid ${String(this.cluster.pid(name))}).`);
    } catch (error) {
      if (this.stoppingSince !== undefined) return;
      this.options.report(
        `${name} could not be started again: ${error instanceof Error ? error.message : String(error)}`,
      );
      const delayMs = this.restarts.delayFor(name, 0);
      if (delayMs !== undefined) this.startLater(name, delayMs);
    }
  }
}

/** Whether there is a page at that address. */
async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) })).ok;
  } catch {
    return false;
  }
}
