import { z } from 'zod';
import { OperationRejected } from '../../src/state-machine/state-machine.js';
import type { OperationContext, ReadonlyState, StateMachine } from '../../src/state-machine/state-machine.js';
import type { Json } from '../../src/wire/json.js';

const approver = z.enum(['Ada', 'Grace', 'Edsger']);
const id = z.string().regex(/^[\w.:-]{1,64}$/);
const decision = z.enum(['approve', 'reject']);

const operation = z.discriminatedUnion('op', [
  z.strictObject({ op: z.literal('propose'), id, what: z.string().min(1).max(1000) }),
  z.strictObject({ op: z.literal('decide'), id, by: approver, decision }),
]);

const recordSchema = z.object({
  what: z.string(),
  votes: z.partialRecord(approver, decision),
  outcome: z.enum(['open', 'approved', 'rejected']),
});

type Operation = z.infer<typeof operation>;

/** How many of the three must agree. */
const NEEDED = 2;

/** What two of three approvers decide is decided: for good, with each having one vote and no second thoughts. */
export default class Approval implements StateMachine<Operation> {
  readonly name = 'approval@1';
  readonly operation = operation;

  /** @throws {OperationRejected} `already-proposed`, `unknown-proposal`, `already-decided`, `already-voted` */
  apply(request: Operation, { state }: OperationContext): Json {
    const stored = state.get(request.id);
    if (request.op === 'propose') {
      if (stored !== undefined) throw new OperationRejected('already-proposed', `${request.id} is there already`);
      state.set(request.id, { what: request.what, votes: {}, outcome: 'open' });
      return { ok: true, outcome: 'open' };
    }
    if (stored === undefined) throw new OperationRejected('unknown-proposal', `nobody proposed ${request.id}`);
    const record = recordSchema.parse(stored);
    if (record.outcome !== 'open') throw new OperationRejected('already-decided', `it is ${record.outcome}`);
    if (record.votes[request.by] !== undefined) throw new OperationRejected('already-voted', `${request.by} has voted`);
    const votes = { ...record.votes, [request.by]: request.decision };
    const alike = Object.values(votes).filter((vote) => vote === request.decision).length;
    const verdict = request.decision === 'approve' ? 'approved' : 'rejected';
    const outcome = alike >= NEEDED ? verdict : 'open';
    state.set(request.id, { what: record.what, votes, outcome });
    return { ok: true, outcome };
  }

  /** `{ op: 'get', key: ID }`: the proposal, its votes and its outcome. */
  query(query: Json, state: ReadonlyState): Json | undefined {
    const { success, data } = z.object({ key: z.string() }).safeParse(query);
    return success ? state.get(data.key) : undefined;
  }
}
