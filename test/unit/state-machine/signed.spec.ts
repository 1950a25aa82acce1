import { createHash, verify } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { generateIdentity } from '../../../src/crypto/ed25519.js';
import { openEnvelope, sealEnvelope, type SignedTerms } from '../../../src/crypto/signed-operation.js';
import { digest } from '../../../src/pbft/types.js';
import { StateMachineService } from '../../../src/replica/state-machine-service.js';
import { decodeOperation, executeOperation } from '../../../src/state-machine/execute.js';
import { MerkleState } from '../../../src/state-machine/merkle-state.js';
import { withSignatures } from '../../../src/state-machine/signed.js';
import type { OperationContext, StateMachine } from '../../../src/state-machine/state-machine.js';
import { canonicalJsonBytes, type Json } from '../../../src/wire/json.js';

const genesis = Buffer.alloc(32, 7);
const user = generateIdentity();
const signer = user.rawPublicKey.toString('base64');
const client = `key:${'ab'.repeat(32)}`;
const terms: SignedTerms = { client, lastSequence: 100, expires: 5_000 };
const moment = { client, timestamp: 1, sequence: 100, time: 5_000, requestDigest: digest('cd'.repeat(32)) };

/** Writes who has signed. */
class Ledger implements StateMachine<{ op: 'pay' }> {
  readonly name = 'ledger@1';
  readonly operation = z.strictObject({ op: z.literal('pay') });
  constructor(readonly signatures: StateMachine['signatures'] = 'required') {}

  apply(_: unknown, { state, signer: by = 'nobody' }: OperationContext): Json {
    state.set('by', by);
    return by;
  }
}

const pay = { op: 'pay' };
const envelope = (more: Partial<SignedTerms> = {}, operation: Json = pay, cluster = genesis): Json =>
  sealEnvelope(operation, { ...terms, ...more }, cluster, user);
/** An envelope with other members than those that were signed. */
const altered = (change: object): Json => {
  const { $signed } = envelope() as { $signed: object };
  return { $signed: { ...$signed, ...change } };
};

function execute(sent: Json, at: Partial<typeof moment> = {}, machine: StateMachine<unknown> = new Ledger()): Json {
  const decoded = decodeOperation(machine, canonicalJsonBytes(sent), genesis);
  return JSON.parse(
    executeOperation(machine, new MerkleState(), decoded, { ...moment, ...at }, (error) => {
      throw error;
    }),
  ) as Json;
}

const refusal = (code: string): object => ({ ok: false, error: { code, message: expect.any(String) } });

describe('an operation that its user has signed', () => {
  it('tells the machine who, at the last moment that it was signed for', () => {
    expect(execute(envelope())).toBe(signer);
    expect(execute(envelope({ lastSequence: 100 + 4095 }))).toBe(signer);
  });

  it.each<[string, Json]>([
    ['another operation', altered({ operation: { op: 'pay', more: 1 } })],
    ['another client', altered({ client: `key:${'ac'.repeat(32)}` })],
    ['a later end', altered({ lastSequence: 101 })],
    ['a later time', altered({ expires: 5_001 })],
    ['another key', altered({ key: generateIdentity().rawPublicKey.toString('base64') })],
    ['a member more', altered({ more: 1 })],
    ['a gateway for a client', envelope({ client: 'gateway-1' })],
    ['a signature for another cluster', envelope({}, pay, Buffer.alloc(32, 8))],
    ['what the schema does not take', envelope({}, { op: 'steal' })],
    ['an envelope in an envelope', envelope({}, envelope())],
    ['nothing in it', { $signed: null }],
    ['more beside it', { ...(envelope() as object), op: 'pay' }],
  ])('is refused with %s, before anything is ordered', (_, sent) => {
    const service = new StateMachineService(new Ledger(), () => undefined, { genesisDigest: genesis });
    expect(service.decodeOperation(canonicalJsonBytes(envelope()))).toBeDefined();
    expect(service.decodeOperation(canonicalJsonBytes(sent))).toBeUndefined();
    expect(execute(sent)).toEqual(refusal('invalid-operation'));
    expect(withSignatures(new Ledger(), genesis).operation['~standard'].validate(sent)).toHaveProperty('issues');
  });

  it.each<[string, Partial<SignedTerms>, Partial<typeof moment>, string]>([
    ['under another key', {}, { client: `key:${'ac'.repeat(32)}` }, 'signed-for-another-key'],
    ['under another timestamp of the key', {}, { timestamp: 2 }, 'signed-for-another-key'],
    ['at a later place', {}, { sequence: 101 }, 'signature-expired'],
    ['at a later time', {}, { time: 5_001 }, 'signature-expired'],
    ['so early that it could come again', { lastSequence: 100 + 4096 }, {}, 'signature-too-long'],
  ])('is not executed %s', (_, more, at, code) => {
    expect(execute(envelope(more), at)).toEqual(refusal(code));
  });

  it('must be there, may be, or cannot be, as the machine has it', () => {
    expect(execute(pay)).toEqual(refusal('invalid-operation'));
    expect(execute(pay, {}, new Ledger('optional'))).toBe('nobody');
    expect(execute(envelope(), {}, new Ledger('optional'))).toBe(signer);
    const plain = { name: 'x', operation: z.json(), apply: (sent: unknown) => sent as Json };
    expect(execute(envelope(), {}, plain)).toEqual(envelope());
  });

  it('passes the gateway as its operation, which tells what it touches', () => {
    const machine = Object.assign(new Ledger(), { touches: () => [{ operation: 'pay' }], query: () => 1 });
    const edge = withSignatures(machine, genesis);
    expect(edge.operation['~standard'].validate(envelope())).toEqual({ value: pay });
    expect(edge.operation['~standard'].validate(pay)).toHaveProperty('issues');
    expect([edge.name, edge.touches?.(pay), edge.query?.(null, new MerkleState())]).toEqual([
      'ledger@1',
      [{ operation: 'pay' }],
      1,
    ]);
  });

  it('is signed over exactly these bytes', () => {
    const u64 = (value: number): Buffer => Buffer.from(value.toString(16).padStart(16, '0'), 'hex');
    const bytes = Buffer.concat([
      Buffer.from('quorate/1/operation\0'),
      genesis,
      ...[Buffer.from([0, client.length]), Buffer.from(client)],
      ...[u64(terms.lastSequence), u64(terms.expires), user.rawPublicKey],
      createHash('sha256').update('{"op":"pay"}').digest(),
    ]);
    const { $signed } = envelope() as { $signed: { signature: string } };
    expect(verify(null, bytes, user.publicKey, Buffer.from($signed.signature, 'base64'))).toBe(true);
    expect(openEnvelope(envelope(), genesis)).toEqual({ operation: pay, signer, ...terms });
  });

  it('cannot be checked without a cluster', () => {
    expect(() => new StateMachineService(new Ledger(), () => undefined)).toThrow(TypeError);
  });
});
