import { createHmac, createSecretKey, hkdfSync, timingSafeEqual, type KeyObject } from 'node:crypto';
import { canonicalJsonBytes, type Json } from '../wire/json.js';

const queueDomain = 'quorate/1/queue';
const keyBytes = 32;

/**
 * Marks what a gateway has put into Redis as a gateway's own (rule 34). Redis is not trusted: without the mark whoever
 * can write there could have anything executed in anybody's name.
 */
export class Seal {
  private readonly key: KeyObject;

  /** @param token the join token, which every gateway has and Redis never sees */
  constructor(token: string, cluster: string) {
    const info = Buffer.from(`${queueDomain}\0${cluster}`, 'utf8');
    this.key = createSecretKey(
      Buffer.from(hkdfSync('sha256', Buffer.from(token, 'utf8'), Buffer.alloc(0), info, keyBytes)),
    );
  }

  /** @param purpose keeps a mark from being used for something else, such as another request's */
  of(purpose: string, value: Json): string {
    return createHmac('sha256', this.key)
      .update(canonicalJsonBytes([purpose, value]))
      .digest('hex');
  }

  isGenuine(purpose: string, value: Json, seal: string): boolean {
    const given = Buffer.from(seal, 'hex');
    const expected = Buffer.from(this.of(purpose, value), 'hex');
    return given.length === expected.length && timingSafeEqual(given, expected);
  }
}
