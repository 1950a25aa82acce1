import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import KeyValueService from '../state-machine/key-value.js';
import type { StateMachine } from '../state-machine/state-machine.js';
import { UsageError } from './context.js';

/**
 * Loads the state machine that a module exports by default: an object, or a class that is made with no arguments.
 * Without a path it is the key-value service.
 * @throws {UsageError} when the module cannot be loaded, or exports no state machine
 */
export async function loadStateMachine(path: string | undefined): Promise<StateMachine> {
  if (path === undefined) return new KeyValueService() as StateMachine;
  const file = resolve(path);
  const module = await importFile(file);
  const exported: unknown =
    typeof module === 'object' && module !== null && 'default' in module ? module.default : undefined;
  const machine: unknown = isClass(exported) ? new exported() : exported;
  if (!isStateMachine(machine)) {
    throw new UsageError(
      `${file} does not export a state machine by default: an object or a class with \`name\`, \`operation\` and \`apply\``,
    );
  }
  return machine;
}

async function importFile(file: string): Promise<unknown> {
  try {
    return await import(pathToFileURL(file).href);
  } catch (error) {
    throw new UsageError(`the state machine ${file} cannot be loaded: ${String(error)}`, { cause: error });
  }
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
