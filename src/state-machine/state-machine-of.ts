import type { StateMachine } from './state-machine.js';

/** The state machine that `given` is, or, being a class, makes with no arguments; `undefined` when it is neither. */
export function stateMachineOf(given: unknown): StateMachine | undefined {
  const machine: unknown = isClass(given) ? new given() : given;
  return isStateMachine(machine) ? machine : undefined;
}

function isClass(value: unknown): value is new () => unknown {
  return typeof value === 'function';
}

function isStateMachine(value: unknown): value is StateMachine {
  if (typeof value !== 'object' || value === null) return false;
  const machine = value as Partial<Record<keyof StateMachine, unknown>>;
  const { operation } = machine;
  const hasSchema =
    (typeof operation === 'object' || typeof operation === 'function') &&
    operation !== null &&
    '~standard' in operation;
  return typeof machine.name === 'string' && hasSchema && typeof machine.apply === 'function';
}
