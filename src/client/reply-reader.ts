import type { ReplyStatement } from '../pbft/effects.js';
import type { Request } from '../pbft/messages.js';
import { decoded, type Frame } from '../wire/frame.js';
import { decodeReplyAttachment, decodeReplyBody, hasAllLeaves, type ProvenReply } from '../wire/reply.js';

/** What one replica says of a batch: its statement, and replies that are bound to it. */
export interface ReadReplies {
  readonly statement: ReplyStatement;
  readonly replies: readonly ProvenReply[];
}

type RequestName = Pick<Request, 'client' | 'timestamp'>;

/** Attachments that are remembered, and their bytes together. */
const knownMax = 64;
const knownBytesMax = 16 * 1024 * 1024;

interface KnownAttachment {
  readonly attachment: Buffer;
  /** `undefined` once nobody waits for any of it. */
  contents: ReadReplies | undefined;
}

/** Takes reply frames apart. All replicas say the same of a batch, to the byte: that is decoded and hashed once. */
export class ReplyReader {
  private readonly known = new Map<string, KnownAttachment>();
  private bytes = 0;

  /** What the frame says to those who wait for it, if it is well-formed; its signature is not looked at. */
  read({ body, attachment }: Frame, isAwaited: (request: RequestName) => boolean): ReadReplies | undefined {
    const name = nameOf(body);
    const known = this.known.get(name);
    if (known?.attachment.equals(attachment) === true) return known.contents;
    const contents = decoded(() => {
      const statement = decodeReplyBody(body);
      return { statement, replies: decodeReplyAttachment(attachment, statement, isAwaited) };
    });
    if (contents === 'malformed-frame') return undefined;
    if (!hasAllLeaves(attachment)) return contents;
    this.forget(name);
    this.known.set(name, { attachment, contents });
    this.bytes += attachment.length;
    for (const oldest of this.known.keys()) {
      if (this.known.size <= knownMax && this.bytes <= knownBytesMax) break;
      this.forget(oldest);
    }
    return contents;
  }

  /** Nobody waits, or will wait, for what the frame says: its contents are let go, and other replicas' frames of it passed over. */
  finish({ body, attachment }: Frame): void {
    const known = this.known.get(nameOf(body));
    if (known?.attachment.equals(attachment) === true) known.contents = undefined;
  }

  private forget(name: string): void {
    this.bytes -= this.known.get(name)?.attachment.length ?? 0;
    this.known.delete(name);
  }
}

/** All that was signed, the root of the replies too. */
function nameOf(body: Buffer): string {
  return body.toString('latin1');
}
