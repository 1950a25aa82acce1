/**
 * A replica or a gateway as a module of a Nest application, and a client that Nest injects.
 * @module quorate/nest
 */
import 'reflect-metadata';

export { QuorateClient } from '../sdk/client.js';
export { GatewayModule, ReplicaModule, type AsyncOptions, type GatewayModuleOptions } from './modules.js';
