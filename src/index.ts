/**
 * Replicas, gateways and clients inside a program of one's own, and what a state machine is written with.
 * @module quorate
 */
export {
  createClient,
  createGateway,
  createReplica,
  type EmbeddedGateway,
  type EmbeddedReplica,
  type EmbeddingOptions,
  type ReplicaOptions,
  type StateMachineSource,
} from './embedding/embedding.js';
export { GatewayModule, ReplicaModule, type AsyncOptions, type GatewayModuleOptions } from './nest/index.js';
export * from './embedding/connect.js';
export { default as KeyValue } from './state-machine/key-value.js';
export type { StandardIssue, StandardResult, StandardSchemaV1 } from './state-machine/standard-schema.js';
export {
  OperationRejected,
  type OperationContext,
  type ReadonlyState,
  type State,
  type StateMachine,
} from './state-machine/state-machine.js';
