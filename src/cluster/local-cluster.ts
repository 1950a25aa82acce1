import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defaultJoinTokenFile, readJoinToken } from '../config/join-token.js';
import { settingsEnvironment, unusualSettings } from '../config/settings-environment.js';
import { invalidSetting, processEnvironment, type Settings } from '../config/settings.js';
import { healthOfHolders } from '../enrolment/data-folder.js';
import { askHolder, FolderLock } from '../enrolment/folder-lock.js';
import { QuorateError } from '../errors.js';
import { Child, type Ending } from './child.js';
import { startEmbeddedRedis, type EmbeddedRedis } from './embedded-redis.js';
import { checkGivenRedis } from './given-redis.js';
import { tailOf } from './log-file.js';
import { poll } from './poll.js';
import { assertPortFree, freePort } from './ports.js';
import { commandText } from './shell.js';

export interface LocalClusterOptions {
  /** Those of every process. `redisUrl` undefined: a Redis is started. `port` is that of the gateway; 0: any. */
  readonly settings: Settings;
  /** The replicas, 4 to 64 of them; goes before `settings.replicas`. */
  readonly names: readonly string[];
  /** A name and an HTTP port for each gateway; without it one, `gateway-1`, on the port that the settings say. */
  readonly gateways?: readonly { readonly name: string; readonly port: number }[];
  /** A module whose default export is a state machine; without it the key-value service. */
  readonly stateMachine?: string;
  /** The program whose commands `replica` and `gateway` are: Quorate's own unless an application brings its own. */
  readonly program?: string;
  /** Let an embedded Redis listen on a loopback port even where a Unix socket would do. */
  readonly preferLoopbackPort?: boolean;
  /** Hears of what goes on, in a line each. */
  readonly report?: (line: string) => void;
  /** Hears of a process (`redis` is one) that ended although it was not asked to. */
  readonly onEnded?: (name: string, ending: Ending) => void;
  /** Hears what a process would have its user know. */
  readonly onNotice?: (text: string) => void;
}

interface Member {
  readonly role: 'replica' | 'gateway';
  readonly name: string;
  /** A gateway's. */
  port: number;
  child?: Child;
}

const READY_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 10_000;
const ANSWER_TIMEOUT_MS = 2_000;
/** Quorate's own program, built or not. */
export const PROGRAM = fileURLToPath(new URL('../../bin/quorate.mjs', import.meta.url));

/**
 * A whole cluster on this machine, each replica and gateway a process of its own: what `quorate up` runs, and what
 * end-to-end tests do. Stop what you have started; should this process be killed instead, the others notice and end.
 */
export class LocalCluster {
  /** The embedded Redis: there after `start`, unless REDIS_URL names another. */
  redis: EmbeddedRedis | undefined;
  private settings: Settings;
  private lock: FolderLock | undefined;
  private isStopping = false;
  private readonly members = new Map<string, Member>();

  constructor(private readonly options: LocalClusterOptions) {
    const { settings, names } = options;
    this.settings = { ...settings, replicas: names.length };
    const gateways = options.gateways ?? [{ name: 'gateway-1', port: settings.port }];
    for (const name of names) this.members.set(name, { role: 'replica', name, port: 0 });
    for (const { name, port } of gateways) this.members.set(name, { role: 'gateway', name, port });
    if (this.members.size !== names.length + gateways.length || this.members.has('redis')) {
      throw invalidSetting('REPLICA_ID', names.join(','), 'names that differ from each other and from redis');
    }
  }

  /**
   * Starts Redis if none is given, then every replica and gateway, and waits until each gateway is ready.
   * @throws {QuorateError} `invalid-setting` when the data folder or a port is in use; `redis-not-found`,
   *   `bus-unavailable`, `unsafe-redis` over Redis; `no-quorum` when a gateway does not get ready. Nothing runs on then.
   */
  async start(): Promise<void> {
    try {
      await this.prepare();
      this.assertNotStopping();
      for (const { name } of this.members.values()) this.startMember(name);
      await Promise.all(this.gatewayNames.map(async (name) => await this.untilReady(name)));
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** SIGTERM to every process, SIGKILL to those that do not end in time; Redis last. Also in the middle of `start`. */
  async stop(): Promise<void> {
    this.isStopping = true;
    await Promise.all(this.children.map(async (child) => await child.stop(STOP_TIMEOUT_MS)));
    await this.redis?.stop();
    this.lock?.release();
  }

  /** SIGKILL to everything, now. */
  killAll(): void {
    this.isStopping = true;
    for (const child of this.children) child.killGroup();
    this.redis?.kill();
  }

  /** Starts one replica or gateway that does not run. Returns at once; see `untilReady`. */
  startMember(name: string): void {
    this.assertNotStopping();
    const member = this.member(name);
    if (member.child?.isRunning === true) return;
    const child = new Child({
      name,
      command: process.execPath,
      args: [...flagsOf(member), ...this.words(member), '--attached'],
      environment: { ...processEnvironment(), ...settingsEnvironment(this.settingsOf(member)) },
      logFile: this.logFile(name),
      onNotice: this.options.onNotice,
    });
    member.child = child;
    void child.ended.then((ending) => {
      if (!child.isToEnd) this.options.onEnded?.(name, ending);
    });
  }

  /** Sends a signal that the process should end by, and waits until it has. */
  async kill(name: string, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.member(name).child?.end(signal, STOP_TIMEOUT_MS);
  }

  /** Sends a signal that the process lives on after, such as SIGSTOP and SIGCONT. */
  signal(name: string, signal: NodeJS.Signals): void {
    this.member(name).child?.signal(signal);
  }

  /** Starts the embedded Redis again where it was, after it has ended. */
  async restartRedis(): Promise<void> {
    if (this.redis === undefined) return;
    const { address, source } = this.redis;
    await this.redis.stop();
    this.assertNotStopping();
    await this.startRedis({ address, source });
  }

  /**
   * Waits until a gateway says that it is ready.
   * @throws {QuorateError} `no-quorum` with what it said last, and where to look
   */
  async untilReady(gateway: string): Promise<void> {
    const url = `${this.gatewayUrl(gateway)}/health/ready`;
    let said = 'nothing';
    const reached = await poll(READY_TIMEOUT_MS, async () => {
      if (this.isStopping || this.member(gateway).child?.isRunning !== true) return false;
      said = await readiness(url);
      return said === 'ready' ? true : undefined;
    });
    if (reached === true) return;
    this.assertNotStopping();
    const ended = [...this.members.values()].filter(({ child }) => child?.isRunning === false);
    const tails = await Promise.all(
      ended.map(
        async ({ name }) => `\n${name} has ended. ${this.logFile(name)} ends with\n${await tailOf(this.logFile(name))}`,
      ),
    );
    const text = `${gateway} did not get ready; it last said: ${said}. Logs are in ${join(this.settings.dataDir, 'logs')}.`;
    throw new QuorateError('no-quorum', text + (await this.progress()) + tails.join(''), {
      ended: ended.map(({ name }) => name),
    });
  }

  /** What each process says that it waits for; one that says nothing has not come so far. */
  private async progress(): Promise<string> {
    const roles = ['replicas', 'gateways'] as const;
    const said = await Promise.all(roles.map((role) => healthOfHolders(this.settings.dataDir, role)));
    const lines = said.flat().map(({ name, detail }) => `\n${name}: ${detail}`);
    return lines.length === 0 ? '\nNo process has begun to take part: there may be too little CPU.' : lines.join('');
  }

  get replicaNames(): readonly string[] {
    return this.options.names;
  }

  get gatewayNames(): readonly string[] {
    return [...this.members.values()].filter(({ role }) => role === 'gateway').map(({ name }) => name);
  }

  /** Where the bus is: to be asked after `start`. */
  get redisUrl(): string | undefined {
    return this.settings.redisUrl;
  }

  get dataDir(): string {
    return this.settings.dataDir;
  }

  gatewayUrl(name = this.gatewayNames[0] ?? ''): string {
    const { host } = this.settings;
    const reachable = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
    return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${String(this.member(name).port)}`;
  }

  roleOf(name: string): 'replica' | 'gateway' | 'redis' {
    return name === 'redis' ? 'redis' : this.member(name).role;
  }

  /** `undefined` when it does not run. */
  pid(name: string): number | undefined {
    const child = this.childOf(name);
    return child?.isRunning === true ? child.pid : undefined;
  }

  /** How long ago it was started last, in milliseconds. */
  livedMs(name: string): number {
    return performance.now() - (this.childOf(name)?.startedAt ?? 0);
  }

  logFile(name: string): string {
    return join(this.settings.dataDir, 'logs', `${name}.log`);
  }

  /** What to type in another terminal in order to run this replica or gateway there. */
  commandFor(name: string): string {
    const member = this.member(name);
    const { PORT, HOST, ...shared } = unusualSettings(this.settingsOf(member));
    const listening = { ...(PORT === undefined ? {} : { PORT }), ...(HOST === undefined ? {} : { HOST }) };
    const secret = this.settings.joinToken === undefined ? '' : 'JOIN_TOKEN="$JOIN_TOKEN" ';
    const variables = member.role === 'gateway' ? { ...shared, ...listening } : shared;
    return secret + commandText(variables, ['node', ...flagsOf(member), ...this.words(member)]);
  }

  private async prepare(): Promise<void> {
    const { dataDir, host } = this.settings;
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
    this.lock = await FolderLock.acquire(dataDir, () => String(process.pid));
    if (this.lock === undefined) {
      const holder = (await askHolder(dataDir))?.trim() ?? '?';
      throw invalidSetting('DATA_DIR', dataDir, `a folder of its own: process ${holder} already runs a cluster in it`);
    }
    for (const member of this.members.values()) {
      if (member.role !== 'gateway') continue;
      if (member.port === 0) member.port = await freePort();
      else await assertPortFree(host, member.port);
    }
    if (this.settings.joinToken === undefined) {
      const joinTokenFile = this.settings.joinTokenFile ?? defaultJoinTokenFile(dataDir);
      this.settings = { ...this.settings, joinTokenFile };
      await readJoinToken(this.settings);
    }
    if (this.settings.redisUrl === undefined) await this.startRedis({});
    else await checkGivenRedis(this.settings.redisUrl);
  }

  private async startRedis(where: Partial<Pick<EmbeddedRedis, 'address' | 'source'>>): Promise<void> {
    const redis = await startEmbeddedRedis({
      dataDir: this.settings.dataDir,
      cacheDir: this.settings.cacheDir,
      report: this.options.report ?? (() => undefined),
      preferLoopbackPort: this.options.preferLoopbackPort === true,
      ...where,
    });
    this.redis = redis;
    const { logRedisUrl = redis.url, queueRedisUrl = redis.url } = this.settings;
    this.settings = { ...this.settings, redisUrl: redis.url, logRedisUrl, queueRedisUrl };
    void redis.child.ended.then((ending) => {
      if (!redis.child.isToEnd) this.options.onEnded?.('redis', ending);
    });
  }

  private childOf(name: string): Child | undefined {
    return name === 'redis' ? this.redis?.child : this.member(name).child;
  }

  private get children(): readonly Child[] {
    return [...this.members.values()].flatMap(({ child }) => (child === undefined ? [] : [child]));
  }

  private member(name: string): Member {
    const member = this.members.get(name);
    if (member === undefined) throw new Error(`this cluster has no ${name}`);
    return member;
  }

  private settingsOf(member: Member): Settings {
    return member.role === 'gateway' ? { ...this.settings, port: member.port } : this.settings;
  }

  private words(member: Member): readonly string[] {
    const { program = PROGRAM, stateMachine } = this.options;
    const machine = stateMachine === undefined ? [] : ['--state-machine', stateMachine];
    return [program, member.role, '--id', member.name, ...machine];
  }

  private assertNotStopping(): void {
    if (this.isStopping) throw new QuorateError('shutting-down', 'the cluster is being stopped');
  }
}

/**
 * Node's flags. A gateway's young generation may take 64 MiB: what waits for its answer there is else copied out of it. Collecting garbage took
 * a sixth of its time under overload (docs/performance.md has what this gave).
 */
function flagsOf({ role }: Member): readonly string[] {
  return role === 'gateway' ? ['--max-semi-space-size=64'] : [];
}

async function readiness(url: string): Promise<string> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
    const text = await response.text();
    return response.ok ? 'ready' : `${String(response.status)} ${text.slice(0, 300)}`;
  } catch (error) {
    const { cause, message } = error as Error;
    return cause instanceof Error ? cause.message : message;
  }
}
