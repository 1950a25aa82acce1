import { z } from 'zod';
import { OperationRejected } from '../../src/state-machine/state-machine.js';
import type { OperationContext, ReadonlyState, State, StateMachine } from '../../src/state-machine/state-machine.js';
import type { Json } from '../../src/wire/json.js';

const company = z.enum(['Acme', 'Bolt', 'Coil', 'Dyne']);
/** Cents: whole numbers, so that every replica computes the same. */
const cents = z.int().min(1).max(1_000_000_000_000);

const operation = z.discriminatedUnion('op', [
  z.strictObject({ op: z.literal('deposit'), to: company, cents }),
  z.strictObject({
    op: z.literal('transfer'),
    from: company,
    to: company,
    cents,
    reference: z.string().min(1).max(64),
  }),
]);

type Operation = z.infer<typeof operation>;

/**
 * What four companies owe each other. No balance is ever negative: whoever transfers more than it has is refused, and
 * nothing changes. A reference is settled once, so that a transfer that is sent twice is not paid twice.
 */
export default class SettlementLedger implements StateMachine<Operation> {
  readonly name = 'settlement-ledger@1';
  readonly operation = operation;

  /** @throws {OperationRejected} `same-company`, `already-settled`, `insufficient-funds`, `too-large` */
  apply(order: Operation, { state, time }: OperationContext): Json {
    if (order.op === 'deposit') return { ok: true, balance: credit(state, order.to, order.cents) };
    const { from, to, cents: amount, reference } = order;
    if (from === to) throw new OperationRejected('same-company', 'a transfer is between two companies');
    if (state.has(`settled:${reference}`)) throw new OperationRejected('already-settled', `${reference} is settled`);
    const left = balanceOf(state, from) - amount;
    if (left < 0) throw new OperationRejected('insufficient-funds', `${from} lacks ${String(-left)} cents`);
    state.set(`balance:${from}`, left);
    credit(state, to, amount);
    state.set(`settled:${reference}`, { from, to, cents: amount, time });
    return { ok: true, reference, balance: left };
  }

  /** `{ op: 'get', key: 'balance:Acme' }`, or `settled:` and a reference. */
  query(query: Json, state: ReadonlyState): Json | undefined {
    const { success, data } = z.object({ key: z.string() }).safeParse(query);
    return success ? state.get(data.key) : undefined;
  }
}

function balanceOf(state: ReadonlyState, name: string): number {
  return Number(state.get(`balance:${name}`) ?? 0);
}

function credit(state: State, to: string, amount: number): number {
  const balance = balanceOf(state, to) + amount;
  if (!Number.isSafeInteger(balance)) throw new OperationRejected('too-large', `${to} cannot hold so much`);
  state.set(`balance:${to}`, balance);
  return balance;
}
