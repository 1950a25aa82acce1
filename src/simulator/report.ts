import { faultKinds, type FaultKind } from './fault-kinds.js';
import type { Outcome } from './simulate.js';

/** A run of so many seeds must have seen every kind of fault. */
const seedsForEveryKind = 1_000;

/** What many runs came to. Nothing in it differs between two runs of the same seeds. */
export interface Report extends Omit<Outcome, 'seed' | 'virtualMs' | 'faults' | 'violation'> {
  readonly firstSeed: number;
  readonly seeds: number;
  readonly virtualHours: number;
  readonly faults: Readonly<Record<FaultKind, number>>;
  /** Kinds that were to happen and never did. */
  readonly neverHappened: readonly FaultKind[];
  readonly violations: readonly { readonly seed: number; readonly checker: string; readonly what: string }[];
}

/** Violations that are kept with their texts. */
const violationsMax = 20;

export function reportOf(firstSeed: number, outcomes: readonly Outcome[], without: readonly FaultKind[]): Report {
  const sum = (of: (outcome: Outcome) => number): number => outcomes.reduce((total, outcome) => total + of(outcome), 0);
  const faults = Object.fromEntries(
    faultKinds.map((kind) => [kind, sum((outcome) => outcome.faults[kind] ?? 0)]),
  ) as Record<FaultKind, number>;
  const failed = outcomes.flatMap(({ seed, violation }) => (violation === undefined ? [] : [{ seed, ...violation }]));
  return {
    firstSeed,
    seeds: outcomes.length,
    virtualHours: Math.round(sum(({ virtualMs }) => virtualMs) / 3_600) / 1_000,
    steps: sum(({ steps }) => steps),
    messages: sum(({ messages }) => messages),
    viewChanges: sum(({ viewChanges }) => viewChanges),
    checkpoints: sum(({ checkpoints }) => checkpoints),
    stateTransfers: sum(({ stateTransfers }) => stateTransfers),
    stateLoads: sum(({ stateLoads }) => stateLoads),
    restarts: sum(({ restarts }) => restarts),
    requests: sum(({ requests }) => requests),
    answered: sum(({ answered }) => answered),
    slowest: Math.round(outcomes.reduce((most, { slowest }) => Math.max(most, slowest), 0) * 1_000) / 1_000,
    faults,
    neverHappened: faultKinds.filter((kind) => faults[kind] === 0 && !without.includes(kind)),
    violations: failed.slice(0, violationsMax),
  };
}

/** Whether the run shows what it is to show. */
export function isGood({ violations, neverHappened, seeds }: Report): boolean {
  return violations.length === 0 && (seeds < seedsForEveryKind || neverHappened.length === 0);
}

/** The report as people read it. */
export function textOf(report: Report): string {
  const { firstSeed, seeds, faults, neverHappened, violations, ...figures } = report;
  const lines = [
    `seeds ${firstSeed} to ${firstSeed + seeds - 1}: ${violations.length === 0 ? 'no violation' : `${violations.length} violations`}`,
    ...Object.entries(figures).map(([name, value]) => `  ${spelled(name).padEnd(28)} ${value}`),
    '  faults',
    ...Object.entries(faults).map(([kind, count]) => `    ${kind.padEnd(26)} ${count}`),
  ];
  if (seeds >= seedsForEveryKind && neverHappened.length > 0)
    lines.push(`  never happened: ${neverHappened.join(', ')}`);
  return lines.join('\n');
}

function spelled(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
