import type { Settings } from '../config/settings.js';
import { QuorateError } from '../errors.js';
import type { StateMachine } from '../state-machine/state-machine.js';
import type { Service } from './serve.js';

/** Runs one gateway until it is stopped. */
export async function runGateway(_settings: Settings, _machine: StateMachine): Promise<Service> {
  throw new QuorateError('not-implemented', 'the gateway is not wired up yet');
}
