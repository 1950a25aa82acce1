import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import KeyValueService from '../state-machine/key-value.js';
import type { StateMachine } from '../state-machine/state-machine.js';
import { stateMachineOf } from '../state-machine/state-machine-of.js';
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
  const machine = stateMachineOf(exported);
  if (machine === undefined) {
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
