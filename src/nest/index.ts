import 'reflect-metadata';

export { QuorateClient } from '../sdk/client.js';
export { GatewayModule, ReplicaModule, type AsyncOptions } from './modules.js';
