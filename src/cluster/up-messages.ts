import { faultsTolerated, quorumSize } from '../pbft/quorum.js';
import { quote } from './shell.js';

/** What `quorate up` knows of the cluster that it started. */
export interface UpFacts {
  readonly url: string;
  readonly hasDashboard: boolean;
  readonly replicas: readonly { readonly name: string; readonly pid: number | undefined }[];
  /** Shell command that opens a client of the embedded Redis; `undefined` where REDIS_URL names another. */
  readonly redisCli: string | undefined;
  readonly cluster: string;
  readonly dataDir: string;
  /** The default state machine runs, so its operations can be tried. */
  readonly isKeyValue: boolean;
  /** How to run Quorate's commands from a shell. */
  readonly program: string;
  /** Starts the replica that the example stops again. */
  readonly startAgain: string;
}

/** What is printed once the cluster is ready: where it is, and the five things worth trying. */
export function readyMessage(facts: UpFacts): string {
  const { url, program, replicas } = facts;
  const last = replicas.at(-1);
  const example = facts.isKeyValue ? '{"operation":{"op":"put","key":"greeting","value":"hello"}}' : '{"operation":…}';
  const redisCli = facts.redisCli ?? 'redis-cli -u "$REDIS_URL"';
  const membership = `${facts.dataDir}/membership.json`;
  return [
    '',
    `Ready: ${String(replicas.length)} replicas, any ${String(faultsTolerated(replicas.length))} of which may fail.`,
    '',
    `  API         ${url}/v1`,
    `  Docs        ${url}/docs`,
    ...(facts.hasDashboard ? [`  Dashboard   ${url}/`] : []),
    `  Logs        ${facts.dataDir}/logs/`,
    '',
    'Have one request agreed, and keep its receipt:',
    `  curl -s ${url}/v1/requests -H 'content-type: application/json' -d ${quote(example)} | tee reply.json`,
    ...(facts.isKeyValue ? [`  curl -s ${url}/v1/kv/greeting`] : []),
    'Check the receipt offline, trusting neither gateway nor Redis:',
    `  ${program} verify reply.json --membership ${quote(membership)}`,
    'Watch the three phases go by, and see the votes that were kept:',
    `  ${redisCli} psubscribe ${quote(`quorate:{${facts.cluster}}:*`)}`,
    `  ${redisCli} --scan --pattern ${quote(`quorate:{${facts.cluster}}:log:*`)}`,
    ...(last?.pid === undefined
      ? []
      : [`Stop a replica and ask again (${describeReplicas(replicas)}), then start it again:`]),
    ...(last?.pid === undefined ? [] : [`  kill -9 ${String(last.pid)}`, `  ${facts.startAgain}`]),
    '',
    'Ctrl-C stops everything.',
  ].join('\n');
}

function describeReplicas(replicas: UpFacts['replicas']): string {
  return replicas.map(({ name, pid }) => `${name}: ${String(pid ?? 'ended')}`).join(', ');
}

export interface EndedFacts {
  readonly name: string;
  readonly role: 'replica' | 'gateway' | 'redis';
  /** For people: a signal or an exit code. */
  readonly ending: string;
  readonly logFile: string;
  /** How it said goodbye; empty when it said nothing. */
  readonly lastLines: string;
  readonly replicas: number;
  readonly replicasRunning: number;
  /** Milliseconds until it is started again; `undefined`: it is not. */
  readonly restartMs: number | undefined;
  /** `undefined` where only all of it can be. */
  readonly startAgain: string | undefined;
}

/** What is printed when a process ended although nobody asked it to. */
export function endedMessage(facts: EndedFacts): string {
  return [
    '',
    `${facts.name} ended: ${facts.ending}.${facts.role === 'replica' ? ` ${whatIsLeft(facts)}` : ''}`,
    ...(facts.lastLines === '' ? [] : [`  ${facts.logFile} ends with`, ...indented(facts.lastLines)]),
    ...howToGoOn(facts),
  ].join('\n');
}

function howToGoOn({ restartMs, startAgain }: EndedFacts): readonly string[] {
  if (restartMs !== undefined) return [`It is started again in ${String(restartMs / 1000)} s.`];
  if (startAgain !== undefined) return ['Start it again with:', `  ${startAgain}`];
  return ['It is not started again: it ended too often. Ctrl-C stops the rest.'];
}

function whatIsLeft({ replicas, replicasRunning }: EndedFacts): string {
  const left = `${String(replicasRunning)} of ${String(replicas)} are left`;
  const quorum = quorumSize(replicas);
  if (replicasRunning >= quorum) return `${left}, and requests go on being answered.`;
  const missing = quorum - replicasRunning;
  const back = missing === 1 ? 'another is back' : `${String(missing)} more are back`;
  return `${left}, and agreement takes ${String(quorum)}: requests wait until ${back}.`;
}

function indented(text: string): readonly string[] {
  return text.split('\n').map((line) => `    ${line}`);
}
