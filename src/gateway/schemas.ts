import { z } from 'zod';
import type { AgreedBatch, ClusterStatus } from '../client/cluster-client.js';
import type { MembershipDocument } from '../crypto/membership.js';
import type { Reply } from '../crypto/receipt.js';
import type { StateProof } from '../crypto/state-proof.js';
import { stateTreeWayLength } from '../crypto/state-tree.js';
import type { Json } from '../wire/json.js';
import { REQUEST_STATES, type RequestStatus } from '../queue/async-requests.js';
import type { Readiness } from './operating.controller.js';
import { PROBLEM_KINDS, type ProblemCode } from './problem.js';

/*
 * The shapes of the gateway's answers, for its OpenAPI document. Each `satisfies` makes the compiler refuse a schema that
 * has drifted away from the type that is answered; the tests parse real answers with them.
 */

const json = z.unknown() as unknown as z.ZodType<Json>;
const hex32 = z.string().regex(/^[0-9a-f]{64}$/);
const base64 = z.base64();
const sequence = z.int().nonnegative();
const signature = z.strictObject({ replica: z.string(), signature: base64 });

const receipt = z.strictObject({
  cluster: z.string(),
  epoch: z.int().nonnegative(),
  view: z.int().nonnegative(),
  sequence,
  client: z.string(),
  timestamp: z.int().nonnegative(),
  operationDigest: hex32,
  requestDigest: hex32,
  resultDigest: hex32,
  proof: z.strictObject({ index: z.int().nonnegative(), size: z.int().positive(), path: z.array(hex32) }),
  signatures: z.array(signature).min(1).describe('At least f+1, of distinct replicas.'),
});

export const replySchema = z.strictObject({
  id: hex32.describe('The request digest.'),
  client: z.string(),
  timestamp: z.int().nonnegative(),
  view: z.int().nonnegative(),
  sequence,
  result: json,
  receipt,
}) satisfies z.ZodType<Reply>;

const requestStatusSchema = z.strictObject({
  id: z.string().describe('Its place is /v1/requests/ and this.'),
  state: z.enum(REQUEST_STATES).describe('retrying: an attempt did not succeed, and the next one has its time.'),
  attempts: z.int().nonnegative().describe('How often it was begun to be executed.'),
  submittedAt: z.iso.datetime(),
  finishedAt: z.iso.datetime().optional(),
  reply: replySchema.optional().describe('completed: the reply, as a synchronous request would have got it.'),
  error: z
    .strictObject({ code: z.string(), detail: z.string() })
    .optional()
    .describe('failed: why; retrying: why the last attempt did not succeed.'),
}) satisfies z.ZodType<RequestStatus>;

const entry = z.strictObject({ key: z.string(), value: json });

const stateProofSchema = z.strictObject({
  cluster: z.string(),
  epoch: z.int().nonnegative(),
  key: z.string(),
  found: z.boolean(),
  value: json.optional().describe('There when the key was found.'),
  checkpoint: z.strictObject({
    sequence: z.int().positive().describe('The state is the one after this sequence number.'),
    time: z.int().nonnegative(),
    roots: z.array(hex32).length(2),
    signatures: z.array(signature).min(1).describe('Of at least q replicas, under CHECKPOINT.'),
  }),
  hashes: z.array(hex32).describe("Of all entries in the key's place of the tree."),
  path: z.array(hex32).length(stateTreeWayLength).describe('Beside the way from there to the root, from below.'),
  neighbours: z.strictObject({ before: entry.nullable(), after: entry.nullable() }).optional(),
}) satisfies z.ZodType<StateProof>;

export const valueSchema = z.strictObject({
  key: z.string(),
  value: json,
  sequence,
  consistency: z.enum(['linearizable', 'local']),
  replicas: z.array(z.string()).describe('Those who answered so.'),
});

export const agreedBatchSchema = z.strictObject({
  sequence,
  view: z.int().nonnegative(),
  digest: hex32,
  time: z.int().describe('Agreed time, milliseconds since 1970.'),
  requests: z.array(
    z.strictObject({ id: hex32, client: z.string(), timestamp: z.int().nonnegative(), operation: json }),
  ),
  batch: z
    .string()
    .describe('The batch as it was ordered, base64: what the digest in the certificate is the digest of.'),
  certificate: z.array(z.strictObject({ replica: z.string(), frame: z.string() })),
}) satisfies z.ZodType<AgreedBatch>;

export const statusSchema = z.strictObject({
  cluster: z.string(),
  epoch: z.int().nonnegative(),
  view: z.int().nonnegative(),
  primary: z.string(),
  n: z.int().positive(),
  f: z.int().nonnegative(),
  quorum: z.int().positive(),
  replicas: z.array(
    z.strictObject({
      replica: z.string(),
      connected: z.boolean(),
      view: z.int().nonnegative().nullable(),
      lastExecuted: sequence.nullable(),
      stableCheckpoint: sequence.nullable(),
      stateDigest: z.string().nullable(),
      voting: z.boolean().nullable(),
      notVoting: z.string().nullable(),
      refused: z.record(z.string(), z.int().nonnegative()),
    }),
  ),
}) satisfies z.ZodType<ClusterStatus>;

export const membershipSchema = z.strictObject({
  cluster: z.string(),
  epoch: z.int().nonnegative(),
  n: z.int().positive(),
  f: z.int().nonnegative(),
  quorum: z.int().positive(),
  genesis: z.strictObject({
    digest: hex32,
    stateMachine: z.string(),
    checkpointInterval: z.int().positive(),
    logSize: z.int().positive(),
    authority: base64,
    signatures: z.array(signature),
  }),
  replicas: z.array(z.strictObject({ id: z.string(), publicKey: base64, enrolment: base64 })),
}) satisfies z.ZodType<MembershipDocument>;

const checks = {
  shuttingDown: z.boolean(),
  busConnected: z.boolean(),
  replicasConnected: z.int().nonnegative().nullable(),
  quorum: z.int().positive().nullable(),
};

export const liveSchema = z.strictObject({ status: z.literal('live') });
export const readySchema = z.strictObject({ status: z.literal('ready'), ...checks }) satisfies z.ZodType<Readiness>;

export const problemSchema = z
  .looseObject({
    type: z.string().describe('urn:quorate:problem: and the code.'),
    title: z.string(),
    status: z.int().min(400).max(599),
    detail: z.string(),
    code: z.enum(Object.keys(PROBLEM_KINDS) as ProblemCode[]),
    instance: z.string().describe('Names this one answer; the log of the gateway has it, too.'),
    errors: z
      .array(z.strictObject({ detail: z.string(), pointer: z.string() }))
      .optional()
      .describe('invalid-request: what is wrong with the body, and where (RFC 6901 in a URI fragment).'),
    answered: z.array(z.string()).optional().describe('no-quorum: the replicas that answered.'),
    mayStillCommit: z.boolean().optional().describe('Whether the operation may be executed all the same.'),
  })
  .describe('RFC 9457, with members of its own for some codes.');

export const lineAnswerSchema = z.union([
  z.strictObject({ line: z.int().positive(), reply: replySchema }),
  z.strictObject({ line: z.int().positive(), problem: problemSchema }),
]);

/** Everything that the document names, but for the state machine's operations. */
export const ANSWER_SCHEMAS = {
  Reply: replySchema,
  RequestStatus: requestStatusSchema,
  Value: valueSchema,
  StateProof: stateProofSchema,
  AgreedBatch: agreedBatchSchema,
  Status: statusSchema,
  Membership: membershipSchema,
  Live: liveSchema,
  Ready: readySchema,
  Problem: problemSchema,
  LineAnswer: lineAnswerSchema,
} as const;
