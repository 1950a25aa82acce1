import { QuorateError } from '../errors.js';
import { enrolmentsMax, type EnrolmentBoard } from '../ports/enrolment-board.js';
import type { Connection } from './connection.js';
import type { Keys } from './keys.js';

const proposalField = 'genesis';
const signaturePrefix = 'signature:';

/** The enrolment board in two hashes: `…:enrolment` and `…:genesis`. */
export class RedisEnrolmentBoard implements EnrolmentBoard {
  constructor(
    private readonly connection: Connection,
    private readonly keys: Keys,
  ) {}

  async post(field: string, record: Uint8Array): Promise<Buffer> {
    const { redis } = this.connection;
    await redis.hsetnx(this.keys.enrolment, field, record as Buffer);
    return (await redis.hgetBuffer(this.keys.enrolment, field)) ?? Buffer.alloc(0);
  }

  async records(): Promise<ReadonlyMap<string, Buffer>> {
    return new Map(Object.entries(await this.readBounded(this.keys.enrolment)));
  }

  async propose(genesis: Uint8Array): Promise<void> {
    await this.connection.redis.hsetnx(this.keys.genesis, proposalField, genesis as Buffer);
  }

  async proposal(): Promise<{ genesis: Buffer; signatures: ReadonlyMap<string, Buffer> } | undefined> {
    const fields = await this.readBounded(this.keys.genesis);
    const genesis = fields[proposalField];
    if (genesis === undefined) return undefined;
    const signatures = Object.entries(fields)
      .filter(([field]) => field.startsWith(signaturePrefix))
      .map(([field, signature]) => [field.slice(signaturePrefix.length), signature] as const);
    return { genesis, signatures: new Map(signatures) };
  }

  async sign(name: string, signature: Uint8Array): Promise<void> {
    await this.connection.redis.hset(this.keys.genesis, signaturePrefix + name, signature as Buffer);
  }

  private async readBounded(key: string): Promise<Record<string, Buffer>> {
    const { redis } = this.connection;
    const length = await redis.hlen(key);
    if (length > enrolmentsMax) {
      throw new QuorateError('enrolment-refused', `${key} has ${length} fields; at most ${enrolmentsMax} are read`);
    }
    return redis.hgetallBuffer(key);
  }
}
