import type { ReplyStatement } from '../pbft/effects.js';
import type { Sealer } from '../wire/envelope.js';
import { encodeReplyBody } from '../wire/reply.js';

/** Replies as frames: one signature for all replies of a batch, made once however often they are asked for. */
export class ReplyFrames {
  private readonly signed = new WeakMap<ReplyStatement, { readonly body: Buffer; readonly signature: Buffer }>();

  constructor(private readonly sealer: Sealer) {}

  /** @param attachments leaves of the statement's tree, as gateways get them */
  of(statement: ReplyStatement, attachments: readonly Buffer[]): Buffer[] {
    const { body, signature } = this.signedOf(statement);
    return attachments.map((attachment) => this.sealer.wrap('reply', body, signature, attachment));
  }

  private signedOf(statement: ReplyStatement): { readonly body: Buffer; readonly signature: Buffer } {
    let signed = this.signed.get(statement);
    if (signed === undefined) {
      const body = encodeReplyBody(statement);
      signed = { body, signature: this.sealer.signatureOf('reply', body) };
      this.signed.set(statement, signed);
    }
    return signed;
  }
}
